"""A session of 2,000 turns, replayed from its events: nothing jumps, no frame takes long, memory stays."""

import gc
from functools import cache
from math import inf
from random import Random
from time import process_time

import psutil
import pytest

from tests.long_session import turn
from tests.tui.test_transcript_view import Show, settled
from tui_agent.conversation.events import Noticed
from tui_agent.text.sanitize import sanitize
from tui_agent.tui.widgets.transcript import viewport
from tui_agent.tui.widgets.transcript.document import AgentBlock, Block, Document, ThoughtBlock, ToolBlock, UserBlock
from tui_agent.tui.widgets.transcript.heights import estimated_height
from tui_agent.tui.widgets.transcript.layout import BlockRows
from tui_agent.tui.widgets.transcript.places import Place, place_at
from tui_agent.tui.widgets.transcript.projection import Projector

TURNS = 2_000


@cache
def session(turns: int = TURNS) -> list[Block]:
    """The blocks of a session; they are shared, and folded as they were when a test leaves them."""
    document = Document()
    projector = Projector(document)
    random = Random(7)
    for number in range(turns):
        for event in turn(random, number):
            projector.apply(event)
        if number % 50 == 0:
            projector.apply(Noticed("info", f"settings changed: theme of turn {number}", "nothing to do"))
    projector.close()
    return document.blocks


def long_show(turns: int = TURNS) -> Show:
    app = Show()
    app.document.put_first(session(turns))
    return app


def top_place(app: Show) -> Place:
    """What the first row with text on the screen begins with."""
    port = app.view._port
    number = port.top
    while True:
        row = port.row(number)
        assert row is not None
        rows = port.rows_of(row.block)
        if row.row >= 0 and rows.lines[row.row].item is not None:
            return place_at(row.block.id, rows.lines, rows.firsts, row.row, 0)
        number += 1


def read(app: Show) -> None:
    """Long answers in view are read to their end."""
    while app.view._port.unread:
        app.view._port.read_on(inf)
        app.view._sync()


def steady(costs: list[float]) -> float:
    """The worst of some CPU times in seconds but for the two that the machine may have spoiled."""
    return sorted(costs)[-3]


class Costs(list[float]):
    """CPU seconds of what was done in each `with`."""

    def __enter__(self) -> None:
        self._began = process_time()

    def __exit__(self, *_: object) -> None:
        self.append(process_time() - self._began)


@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize("width", [28, 38, 68, 109])
def test_heights_are_estimated_within_a_tenth(width, folded):
    estimated = true = 0
    for block in session(150):
        if isinstance(block, ThoughtBlock | ToolBlock):
            block.folded = folded
        rows = BlockRows(block)
        rows.update(width, lambda: 0.0)
        while not rows.read_on(inf):
            pass
        estimated += estimated_height(block, width)
        true += len(rows.lines)
        if isinstance(block, ThoughtBlock | ToolBlock):
            block.folded = True
    assert abs(estimated - true) < true * 0.06, f"{estimated} for {true} rows, {estimated / true - 1:+.1%}"


async def test_jumping_is_exact_the_first_time_and_costs_less_than_a_frame():
    app = long_show()
    async with app.run_test(size=(120, 40)) as pilot:
        app.view.focus()
        await settled(pilot)
        costs = Costs()
        prompts = [block for block in app.document.blocks if isinstance(block, UserBlock)]
        for back in range(1, 40):
            with costs:
                app.view.action_previous_prompt()
            if back > 5:  # the last ones are on one screen
                top = app.view._port.top
                assert prompts[-back].text[:40] in app.screen_text()[0]
                app.view._sync()
                assert app.view._port.top == top
        app.view.action_home()
        for forth in range(1, 40):
            with costs:
                app.view.action_next_prompt()
            assert prompts[forth].text[:40] in app.screen_text()[0]
        assert steady(costs) < 0.033


def thumb(app: Show) -> tuple[int, int]:
    """The first and the last cell of the scroll bar that the thumb touches."""
    bar = app.view.vertical_scrollbar
    segments = bar.renderer.render_bar(
        bar.size.height, bar.window_virtual_size, bar.window_size, bar.position, 1, True
    ).segments
    cells = [segment for segment in segments if "\n" not in segment.text]
    held = [number for number, segment in enumerate(cells) if segment.style.meta.get("@mouse.down") == "grab"]
    return held[0], held[-1]


@pytest.mark.parametrize("rows", [30, 200, 572, 575, 3000])
async def test_the_thumb_touches_the_bottom_at_the_end_and_nowhere_else(rows):
    app = Show()
    app.document.add(UserBlock(text="\n" * (rows - 2)))
    async with app.run_test(size=(100, 24)) as pilot:
        await settled(pilot)
        bar = app.view.vertical_scrollbar
        assert app.view._port.total == rows == bar.window_virtual_size
        for above in range(5):
            last = bar.renderer.render_bar(24, rows, 24, bar.position, 1, True).segments[-1]
            full = last.text == " " and last.style.meta["@mouse.down"] == "grab"
            assert full == (above == 0)
            app.view.scroll_to(y=app.view.scroll_y - 1)
        app.view.action_home()
        assert thumb(app)[0] == 0


async def test_the_thumb_is_dragged_to_where_the_pointer_is_and_clicking_in_the_bar_pages():
    app = long_show()
    async with app.run_test(size=(100, 24)) as pilot:
        await settled(pilot)
        view, bar = app.view, app.view.vertical_scrollbar
        await pilot.mouse_down(bar, offset=(0, 23))
        for y in (20, 12, 12, 12, 5, 5, 12, 23):
            await pilot.hover(bar, offset=(0, y))
            await pilot.pause()
            assert abs(thumb(app)[0] - y) <= 1
        await pilot.mouse_up(bar, offset=(0, 23))
        assert view.follow
        await pilot.click(bar, offset=(0, 3))
        await pilot.pause()
        assert view._port.top == view._port.last_top - 24 and not view.follow
        await pilot.click(bar, offset=(0, 23))
        await pilot.pause()


async def test_a_session_is_replayed_scrolled_resized_folded_and_copied_from():
    app = long_show()
    async with app.run_test(size=(120, 40)) as pilot:
        view, port, costs = app.view, app.view._port, Costs()
        view.focus()
        await settled(pilot)
        random = Random(1)
        for _ in range(12):
            with costs:
                view.scroll_to(y=random.randrange(port.total))
            for _ in range(random.randrange(3)):
                with costs:
                    view.action_page_up()
                    view.render_line(0)
            read(app)
            reading, rows = top_place(app), app.screen_text()
            for width in (40, 80, 120):
                with costs:
                    port.resize(width - 12, 40)
                    view._sync()
                read(app)
                assert top_place(app)[:2] == reading[:2], "the same item is at the top"
            read(app)
            assert app.screen_text() == rows
            with costs:
                app.document.fold_all(ToolBlock, False)
                view._sync()
            assert top_place(app)[:2] == reading[:2] or isinstance(app.document.get(reading.block), ToolBlock)
            app.document.fold_all(ToolBlock, True)
            view._sync()
            answer = app.document.add(AgentBlock(streaming=True))
            app.document.append_text(answer, "**more**\n\n- and more\n" * 20)
            with costs:
                view._sync()
            assert top_place(app)[:2] == reading[:2]
            app.document.remove(answer)
            view._sync()
        view.action_end()
        read(app)
        last = sanitize(app.document.blocks[-1].source).replace("*", "").replace("`", "")
        assert view.follow and last.endswith(app.screen_text()[-1].split()[-1])
        view.action_select_all()
        with costs:
            view.action_copy()
        await pilot.pause()
        assert app.copied[-1].text.count("prompt 1999:") == 1
        assert app.copied[-1].text.startswith(sanitize(app.document.blocks[0].source))
        assert steady(costs) < 0.07


async def test_reading_a_whole_session_there_and_back_keeps_little(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(viewport, "_ROWS", 1_000)
    app = long_show(150)
    async with app.run_test(size=(100, 50)) as pilot:
        await settled(pilot)
        await read_through(app, 25)


@pytest.mark.slow
async def test_reading_a_long_session_there_and_back_keeps_little():
    app = long_show()
    async with app.run_test(size=(100, 50)) as pilot:
        await settled(pilot)
        await read_through(app, 60)


async def read_through(app: Show, megabytes: int) -> None:
    """Page to the start and back; what is kept stays under some megabytes, and no page takes longer than a frame."""
    view, port, costs = app.view, app.view._port, Costs()
    view.action_page_up()
    gc.collect()
    before = psutil.Process().memory_info().rss
    for action, done in (
        (view.action_page_up, lambda: port.top == 0),
        (view.action_page_down, lambda: port.top == port.last_top),
    ):
        while not done():
            with costs:
                action()
                for y in range(view.size.height):
                    view.render_line(y)
    gc.collect()
    kept = sum(len(rows.lines) for rows in port._rows.values())
    strips = sum(len(rows.strips) for rows in port._rows.values())
    assert kept <= viewport._ROWS and strips <= 1_100
    assert psutil.Process().memory_info().rss - before < megabytes * 1_000_000
    assert sorted(costs)[int(len(costs) * 0.98)] < 0.033


async def test_one_block_of_many_rows_keeps_few_painted():
    app = Show()
    answer = app.document.add(AgentBlock())
    async with app.run_test(size=(100, 50)) as pilot:
        app.document.append_text(answer, "```\n" + "a line of code\n" * 20_000 + "```\n")
        await settled(pilot)
        while app.view._port.unread:
            await pilot.pause(0.01)
        for _ in range(100):
            app.view.action_page_up()
            for y in range(50):
                app.view.render_line(y)
        assert sum(len(rows.strips) for rows in app.view._port._rows.values()) <= 1_100
