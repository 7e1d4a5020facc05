"""Whether a reply means the call that it holds, or only quotes, explains or lists it.

Small models explain what they do and mean it: "you can use the `read_file` tool. Here's how you can do it:" comes
before calls that are meant. So prose alone says nothing; the words below do. In doubt a call is not meant: it stays on
the screen, where the user can ask for it, while a call that was only shown would do something nobody asked for.
"""

import re
from typing import Final

REMEMBERED: Final = 1500
"""Characters of prose before a call that are looked at."""

_CODE = re.compile(r"`[^`\n]*`|[\w.~-]*/[\w./~-]*|\b[\w-]+\.[a-z]\w{0,4}\b(?!\.)")
_LIST_ITEM = re.compile(
    r"\s*(?:[-*+•]|\d{1,3}[.)]|#{1,6} |\*\*|(?:step|option|alternative|method) \w+\b)", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_INDIRECT = re.compile(r"\b(?:what|whether|where|how)\b(?![^,.:;]*\bcalls?\b)[^,.:;]{0,60}")
"""An indirect question, "what the file contains": its verbs say nothing about the call."""


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


_EXAMPLE = _any(
    r"\b(?:an?|another|one|some|few|simple|basic|typical|these|those|following|more|as) examples?\b"
    r"(?! (?:file|script|config|code|project|folder|director|module|program|test|app))",
    r"\bfor (?:example|instance)\b",
    r"\be\. ?g\.",
    r"^\W*examples?\b|^\W*(?:sample|usage)\W*$",
    r"\bexamples?\W*$",
    r"\b(?:examples?|samples?) (?:of|call|usage|request|json|format|tool|output|command|input)",
    r"\billustrat|\bdemonstrat|\bsuppose\b|\bimagine\b|\bhypothetical|\bpseudo",
    r"\b(?:consider|think of) (?:an?|this|the)\b|\b(?:copy|paste) (?:this|it)\b|\b(?:such as|thus)\W*$",
    r"beispiel|par exemple|\bexemple\W*$|ejemplo|esempio|exemplo|пример|例",
)
_FORM = _any(
    r"\b(?:format|syntax|structure|schema|template)\b[^.:]{0,30}\b(?:calls?|calling|tools?|request|json|arguments?)\b",
    r"\b(?:following|required|expected|correct|proper|exact) (?:json )?(?:format|syntax|form|schema|template)\b",
    r"\bthe (?:\w+ )?(?:format|syntax|template|schema)(?: is| looks| would be| should be)?\W*$",
    r"^\W*definitions?\W*$|\b(?:format|syntax)\b.{0,60}\bis\W*$",
    r"\b(?:general|usual|canonical|standard) (?:form|shape|layout|idea)\b|\bcalls are\b",
    r"\b(?:written|represented|expressed|encoded) as\W*$",
    r"\b(?:typical|sample|minimal|generic|possible|malformed) (?:tool |function )?calls?\b",
    r"\b(?:an?|each|every|any) (?:\w+ ){0,2}calls?\b.{0,20}\b(?:is|has|consists|contains|needs|must|looks)\b",
    r"\blooks? (?:something |exactly |a bit )?like (?:this|so|that|the following|:)",
    r"\b(?:would|should|might|could|may|must) look\b(?! (?:at|for|in|into|up|over|it)\b)|\b(?:will|can) look like\b",
    r"\b(?:this|that|here)(?: is|['’]s) (?:what|how) .{0,40}\blooks?\b|\b(?:this|that)(?: is|['’]s) how\b",
    r"\bhow (?:a|the|to write a|you write a) .{0,20}\bcalls?\b",
    r"\b(?:tool|function)[ -]calls? (?:looks?|has|have|consists?|contains?|needs?|must|should|takes?)\b",
    r"\b(?:tool|function)[ -]calls? (?:is|are|can be) (?:an?|written|made|represented|formatted|structured|encoded)\b",
)
_CHOICE = _any(
    r"\bone of (?:the following|these)\b|\beither\b|\bchoose (?:one|between|from)\b",
    r"\b(?:several|two|three|different|multiple|various|other) (?:ways|options|alternatives|possibilities)\b",
    r"\bpick (?:one|between|from)\b|\bwhich\b[^.]*\bprefer\b",
    r"\boption (?:\d|[a-d])\b|\b(?:the|these|following|your) (?:options|alternatives)\b",
    r"^\W*(?:or|alternatively|alternative \w+)\b",
)
_LISTING = _any(
    r"\b(?:available|my|provided) (?:tools|functions)\b",
    r"\b(?:tools|functions) (?:available|i have|i can|at my disposal|are)\b",
    r"\bi have (?:access to )?(?:\w+ ){0,2}(?:tools|functions)\b",
)
_SAID_BEFORE = _any(
    r"\baccording to\b|\bquot(?:e|es|ed|ing)\b|\bas documented\b|\bin the (?:docs|documentation|manual)\b",
    r"\b(?:previous(?:ly)?|earlier|last) (?:calls?|called|ran|used|made|turn|message|request|time)\b",
    r"\b(?:called|ran|used|made|did)(?: \w+)? (?:previously|earlier|before)\b",
    r"\b(?:was|were|been|got) (?:called|run|executed|made|sent|used|written|issued|invoked)\b",
    r"\b(?:output|result|contents?|response|answer|reply|message|prompt|definition)\b"
    r"(?: \w+){0,4} (?:is|was|are|were)(?: (?:this|that|the following|as follows|something like|like this))*\W*$",
    r"\b(?:contains?|contained|says|said|reads|shows|showed|states|stated|printed|prints|returned|returns|outputs|logged"
    r"|responded|replied|(?:responds|answers|replies|answer) with|sent|wrote|expects|expected|accepts|means|becomes"
    r"|say|contain|holds?|produced|generated|emitted|issued|received|recorded|executed|observed|happened|failed|fails)"
    r"(?: (?:this|that|the following|as follows|something like|like this))*\W*$",
    r"\b(?:expected|mock|original|wrong|whole) (?:reply|output|response|result|call|answer)\b|\btest case\b",
    r"\b(?:answer|reply|respond) like (?:this|so)\W*$|\b(?:entry|snippet|excerpt|fragment)\W*$",
    r"\bthis was\b|\bwas the (?:call|command|request)\b",
    r"\bthe (?:code|test|server|client|model|library|script|program)\b[^.]{0,30}\b\w+s (?:this|the following|with)\b",
)
_UNREAL = _any(
    r"\b(?:could|might|would)\b(?! (?:you )?like to\b)|\b(?:i|you|we|it|one)['’]d\b(?! like to\b)",
    r"^\W*when(?:ever)? .{0,80}\b(?:sends?|writes?|calls?|emits?|answers?|repl(?:y|ies))\W*$",
    r"\bif (?:i|you|we|one) (?:were|had|wanted)\b",
    r"^to (?:call|use|invoke) (?:it|a tool|tools|a function|functions|any tool)\b|\bwhen (?:you )?call(?:ing)?\b",
    r"(?<!i )(?<!will )(?<!i'll )(?<!let me )\b(?:write|type|emit|send|produce|generate)\W*$",
    r"\b(?:must|should) (?:reply|respond|answer) with\b",
)
_TURNED_DOWN = _any(
    r"\b(?:not|never|cannot|avoid|against|without|instead of|rather than|nor|refus\w+|unable)\b|n['’]t\b",
    r"\b(?:is|are|be) (?:wrong|incorrect|invalid|unsafe|dangerous|a mistake)\b",
    r"\b(?:wrong|incorrect|invalid|bad|unsafe|dangerous) (?:calls?|commands?|request|json|way)\b",
    r"\b(?:i|you|we|he|she|it|they|model|user|assistant|agent)(?:['’]ve| have| has| had)?(?: just| already| also)? "
    r"(?:ran|called|used|executed|wrote|sent|made|tried|invoked|issued|got|did|saw|received|posted)\b",
)
_ENGLISH = re.compile(r"\b(?:the|of|from|these|those|this|it|both|any|is|are)\b")
_DOING = re.compile(
    r"\b(?:i|me|my|we|us|you|let|use[sd]?|using|calls?|calling|commands?|steps?|tools?|functions?|actions?|runs?|running"
    r"|reads?|reading|look\w*|check\w*|list\w*|open\w*|fetch\w*|get\w*|need\w*|first|next|then|now|here|following"
    r"|replac\w+|chang(?:es?|ing)|edit\w*|creat\w+|do|done|doing|execut\w+|follow\w*|start\w*|search\w*|find\w*|writ\w+"
    r"|updat\w+|fix\w*|mak\w+|add\w*|remov\w+|delet\w+|test\w*|new|corrected|requested|sure|okay?"
    r"|will|can|should work|shows?|shown|tells?|second|third|patch|solution)\b|^\w+ing\b|['’]ll|\bx\b"
)
"""Words of somebody who is about to do something; `x` stands for code and file names."""
_INTENTION = re.compile(
    r"(?:[,;–—-]|\b(?:so|but|however|therefore|thus)\b).{0,40}"
    r"\b(?:i['’]?ll|i will|let me|let['’]s|i can|i need|i must|i['’]?m going|i am going|we can|we need|you can)\b"
)
_AFTERWARDS = _any(
    r"\b(?:is|was|are) (?:just |only |merely |simply )?(?:an? |the )?(?:\w+ )?examples?\b",
    r"\bjust an? (?:example|illustration|sketch)\b|\b(?:the|this|that) (?:above )?example\b|\bplaceholder",
    r"\breplace\b.{0,80}\bwith\b.{0,40}\b(?:actual|own|real|your|desired|correct|appropriate)\b",
    r"(?:\bnot|n['’]t|\bnever|\bwithout) (?:been |be |yet |actually |really )*(?:run|ran|execut|call|invok|sent|made)",
    r"\b(?:shall|should|may|can|could) i (?:go ahead|run|call|execute|do|proceed|continue|use|make)\b",
    r"\bwould you like (?:me|to)\b|\bdo you want (?:me|to)\b|\bwhich (?:one|do you|would you|should (?:i|we))\b",
    r"\blet me know (?:if|whether|which)\b.{0,40}\b(?:run|execute|proceed|call|go ahead|do (?:it|this|that|so))\b",
    r"\bhypothetical|\b(?:format|syntax|structure) (?:of|for)\b|\bwould (?:look|call|run|be used)\b",
    r"\bhow (?:a|the) (?:tool|function) call\b|\bis (?:wrong|invalid|incorrect|not valid|dangerous|unsafe)\b",
    r"^\W*(?:or|alternatively)\b|\bexamples? only\b|\bis (?:that|this|it) (?:ok|okay|all right|fine)\b",
)
_ASKS_FOR_A_FORM = _any(
    r"\b(?:examples?|samples?|syntax|format|structure) (?:of|for) (?:\w+ ){0,2}(?:tool|function)[ -]?(?:calls?|use)\b",
    r"\b(?:tool|function)[ -]?calls? (?:examples?|samples?|format|syntax)\b",
    r"\b(?:how|what) (?:do|does|would|should) (?:\w+ ){0,2}(?:tool|function)[ -]?calls? look\b",
    r"\bjson\b.{0,80}\b(?:name|tool|function)\b.{0,40}\b(?:arguments?|parameters?)\b",
    r"\b(?:do not|don['’]t|without|never) (?:call|use|run|invok|execut)\w*(?: any| a| the)? (?:tool|function)",
)
_ASKS_FOR_A_COMMAND = _any(
    r"\b(?:what|which|give me|tell me|show me|write|suggest|need|want|know)\b[^.?!\n]{0,60}"
    r"\b(?:command|script|one-?liner|snippet|alias)\b",
    r"\bhow (?:do|can|could|would|should|to|does)\b|\bexample\b|\bexplain\b",
)


def is_quoted(prose: str) -> bool:
    """The prose before a call says that it is not meant.

    Looked at are the line before it and, when that is an item of a list or a heading, what introduces the list.
    """
    lines = _lines(prose)
    if not lines:
        return False
    if _is_distant(lines[-1]):
        return True
    if not _LIST_ITEM.match(lines[-1]):
        return False
    return _is_distant(next((line for line in reversed(lines[:-1]) if not _LIST_ITEM.match(line)), ""))


def is_taken_back(prose: str) -> bool:
    """The prose right after a call says that it was not meant."""
    return bool(_AFTERWARDS.search(_plain(prose.strip()[:400])))


def is_alternative(prose: str) -> bool:
    """The line before a call sets it against the one before."""
    lines = _lines(prose)
    return bool(lines) and bool(_CHOICE.search(_plain(lines[-1])))


def asks_for_a_form(prompt: str) -> bool:
    """The user wants to see what a call looks like, or wants none."""
    return bool(_ASKS_FOR_A_FORM.search(" ".join(prompt[:4000].split())))


def asks_for_a_command(prompt: str) -> bool:
    """The user wants to be told a command."""
    return bool(_ASKS_FOR_A_COMMAND.search(prompt[:4000]))


def _lines(prose: str) -> list[str]:
    return [line[-400:] for line in prose[-REMEMBERED:].splitlines() if line.strip()]


def _is_distant(line: str) -> bool:
    """A line that keeps its distance from the call it introduces."""
    line = _plain(line)
    if any(pattern.search(line) for pattern in (_EXAMPLE, _FORM, _CHOICE, _LISTING)):
        return True
    sentence = _SENTENCE_END.split(line)[-1]
    if _SAID_BEFORE.search(_INDIRECT.sub("x", sentence)) or _UNREAL.search(sentence):
        return True
    if (
        sentence.endswith(":")
        and len(sentence.split()) < 10
        and _ENGLISH.search(sentence)
        and not _DOING.search(sentence)
    ):
        return True  # a caption: "the old version:"
    turned_down = _TURNED_DOWN.search(sentence)
    return turned_down is not None and _INTENTION.search(sentence, turned_down.end()) is None


def _plain(prose: str) -> str:
    """Lower case, without code, paths and file names, whose words mean nothing here."""
    return _CODE.sub("x", prose).lower().strip()
