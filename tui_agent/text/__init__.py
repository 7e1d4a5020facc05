"""Pure functions on text: sanitising what comes from outside, estimating tokens, cutting to a bound."""
