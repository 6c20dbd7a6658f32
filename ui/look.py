"""What the theme cannot say: a little CSS, and the small pieces of HTML."""

from __future__ import annotations

from html import escape

from phidex.generation.answer import Answer
from phidex.ui.place import NumberedLine
from phidex.ui.words import say

LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 132 32" width="132" height="32">
<path d="M4 4h13l6 6v18H4z" fill="#fff" stroke="#b45309" stroke-width="2" stroke-linejoin="round"/>
<path d="M17 4v6h6" fill="none" stroke="#b45309" stroke-width="2" stroke-linejoin="round"/>
<path d="M8 14.5h11" stroke="#d8cfbd" stroke-width="2"/><path d="M7.500 19h12" stroke="#f0b429" stroke-width="4.500"/>
<path d="M8 24h7" stroke="#d8cfbd" stroke-width="2"/>
<text x="33" y="23.500" font-family="Source Sans Pro, Helvetica, Arial, DejaVu Sans, sans-serif"
 font-size="22" font-weight="700" fill="#b45309">Phidex</text></svg>"""

CSS = """
<style>
.stApp {
  --phidex-rule: light-dark(#e4e0d6, #4a463d);
  --phidex-quote: light-dark(#4b4637, #d8d2c2);
  --phidex-free: light-dark(#ece8de, #3a372f);
  --phidex-small: light-dark(#6d6757, #a9a290);
  --phidex-paper: light-dark(#fdfcfa, #1d1c19);
  --phidex-cited: light-dark(#fff4cc, #4d4116);
  --phidex-number: light-dark(#7d7663, #8f8873);
}
.stMainBlockContainer { padding: 2.2rem 3rem 4rem; max-width: 1500px; }
[data-testid="stSidebarUserContent"] { padding-top: 0; }
.st-key-page img { border: 1px solid var(--phidex-rule); border-radius: .4rem; box-shadow: 0 2px 14px rgba(60, 50, 20, .10); }
.st-key-sources { gap: .35rem; }
.phidex-quote { border-left: 3px solid #f0b429; padding: .1rem 0 .1rem .8rem; color: var(--phidex-quote); font-size: .95rem;
  line-height: 1.5; max-height: 9rem; overflow-y: auto; overflow-wrap: anywhere; }
.phidex-bar { display: flex; height: 8px; border-radius: 4px; overflow: hidden; background: var(--phidex-free); }
.phidex-key { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin-top: .45rem; font-size: .8rem;
  color: var(--phidex-small); }
.phidex-key i { display: inline-block; width: .6rem; height: .6rem; border-radius: 2px; margin-right: .35rem; }
.phidex-lines { font: .82rem/1.55 ui-monospace, "DejaVu Sans Mono", monospace;
  border: 1px solid var(--phidex-rule); border-radius: .5rem;
  overflow-x: auto; padding: .5rem 0; background: var(--phidex-paper); }
.phidex-lines div { white-space: pre-wrap; overflow-wrap: anywhere; padding: 0 .8rem 0 4rem; text-indent: -3.2rem; }
.phidex-lines div.cited { background: var(--phidex-cited); }
.phidex-lines b { display: inline-block; width: 3.2rem; text-indent: 0; color: var(--phidex-number); font-weight: 400; }
.phidex-passage { white-space: pre-wrap; overflow-wrap: anywhere; border-left: 3px solid var(--phidex-rule);
  padding-left: .8rem; margin: .2rem 0 .6rem; font-size: .92rem; line-height: 1.5; }
.phidex-name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-weight: 600; font-size: .9rem; }
.phidex-title { font-size: 1.05rem; }
.phidex-small { font-size: .8rem; color: var(--phidex-small); }
.phidex-welcome { text-align: center; padding: 11vh 0 1rem; }
.phidex-welcome h2 { font-weight: 650; }
.phidex-welcome p { color: var(--phidex-small); max-width: 34rem; margin: 0 auto .6rem; }
</style>
"""

RIGHT_TO_LEFT_CSS = """
<style>
.stMainBlockContainer, [data-testid="stSidebarContent"] { direction: rtl; text-align: right; }
.phidex-lines, code, pre { direction: ltr; text-align: left; }
</style>
"""


def ledger_bar(answer: Answer) -> str:
    """Where the token budget went, as a bar with its key."""
    ledger = answer.ledger
    parts = (
        (say("ledger.passages"), ledger.context_tokens, "#e0a21b"),
        (say("ledger.prompt"), ledger.prompt_tokens, "#8a6d3b"),
        (say("ledger.reserve"), ledger.reserve_tokens, "#b9c7a8"),
        (say("ledger.free"), ledger.free_tokens, "var(--phidex-free)"),
    )
    whole = max(1, ledger.budget_tokens)
    bar = "".join(f'<span style="width:{100 * n / whole:.2f}%;background:{colour}"></span>' for _, n, colour in parts)
    key = "".join(f'<span><i style="background:{colour}"></i>{name} {n:,}</span>' for name, n, colour in parts)
    return f'<div class="phidex-bar">{bar}</div><div class="phidex-key">{key}</div>'


def quote_block(quote: str) -> str:
    """The quote beside a coloured line."""
    return f'<div class="phidex-quote" dir="auto">{escape(quote)}</div>'


def line_block(lines: list[NumberedLine]) -> str:
    """Numbered lines, the cited ones marked."""
    rows = "".join(
        f"<div{' class=cited' if line.is_cited else ''}><b>{line.number}</b>{escape(line.text) or ' '}</div>" for line in lines
    )
    return f'<div class="phidex-lines">{rows}</div>'


def passage_block(head: str, text: str) -> str:
    """A passage as it is stored, below what is said of it (HTML)."""
    body = f'<div class="phidex-passage" dir="auto">{escape(text)}</div>'
    return f'<div class="phidex-small">{head}</div>{body}'


def welcome(title: str, *paragraphs: str) -> str:
    """What stands where there is nothing yet."""
    return f'<div class="phidex-welcome"><h2>{escape(title)}</h2>{"".join(f"<p>{escape(p)}</p>" for p in paragraphs)}</div>'
