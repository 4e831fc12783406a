"""Sentences stay whole, and what must survive a shorter text is found."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentflows.dream.faithful import has_negation
from agentflows.signature import hedges, negations, sentences, specifics, tokens


def cut(text: str) -> list[str]:
    """The sentences themselves."""
    return [text[start:end] for start, end in sentences(text)]


def test_dots_inside_code_urls_versions_and_abbreviations_end_nothing():
    """Half a sentence can turn its meaning round."""
    text = "Run `a. B` on v1.2.3 of foo.ts, e.g. see https://a.b/c.d. Never use X! Is it? Yes."
    assert cut(text) == [
        "Run `a. B` on v1.2.3 of foo.ts, e.g. see https://a.b/c.d.",
        "Never use X!",
        "Is it?",
        "Yes.",
    ]


def test_wrapped_prose_is_one_sentence_and_list_items_are_their_own():
    """Hard-wrapped notes and lists look alike by line."""
    text = "Do not push\nbefore the tests pass.\n- one thing\n- another. And more\n# Title\nText"
    assert cut(text) == [
        "Do not push\nbefore the tests pass.",
        "one thing",
        "another.",
        "And more",
        "Title",
        "Text",
    ]


def test_code_lines_and_table_rows_stay_whole():
    """A line of code has no sentences."""
    assert cut("```\nx = 1. Y\nz\n```\n| a. B | c |") == ["x = 1. Y", "z", "| a. B | c |"]


def test_specifics_are_what_a_merge_may_not_change():
    """Two notes that differ in one number are two notes."""
    found = specifics(
        "Run `bun run test` in src/x.ts with --fix, v1.2.3, port 3000, PR #260, E0425, on 2024-05-01."
    )
    assert found == {"bun run test", "src/x.ts", "--fix", "v1.2.3", "3000", "260", "E0425", "2024-05-01"}
    assert specifics("wait 30 s") != specifics("wait 10 s")


def test_contractions_and_other_languages_are_negations():
    """A claim that loses its "don't" says the opposite."""
    assert negations("Don’t use npm. Never, unless it can't be avoided.") == {
        "not": 2,
        "never": 1,
        "unless": 1,
    }
    assert negations("Nicht ohne Test; jamais sans revue; nunca") == {
        "nicht": 1,
        "ohne": 1,
        "jamais": 1,
        "sans": 1,
        "nunca": 1,
    }


@pytest.mark.parametrize(
    ("said", "turned"),
    [
        ("Voeg nooit een changelog toe.", "Voeg een changelog toe."),
        ("Non aggiungere commenti nel codice.", "Aggiungere commenti nel codice."),
        ("Mai usare tabulazioni nel codice.", "Usare tabulazioni nel codice."),
        ("Não adicione comentários ao código.", "Adicione comentários ao código."),
        ("Никогда не добавляй комментарии в код.", "Добавляй комментарии в код."),
        ("Lägg aldrig till kommentarer i koden.", "Lägg till kommentarer i koden."),
        (
            "テストを実行して、mainにはプッシュしないでください。",
            "テストを実行して、mainにはプッシュしてください。",
        ),
        ("提交前,不要运行测试,直接推送。", "提交前,运行测试,直接推送。"),
        ("커밋 전에 테스트를 실행하지 마세요.", "커밋 전에 테스트를 실행하세요."),
    ],
)
def test_a_lost_not_is_seen_in_other_languages_too(said: str, turned: str):
    """Where code does not know the word, a model that drops it has the opposite committed with nobody looking."""
    assert negations(said)
    assert not negations(turned)
    assert has_negation(said)
    assert not has_negation(turned)


@pytest.mark.parametrize(
    "text", ["On livre le 15 mai 2026.", "不具合を直す。", "Enkelte filer.", "Der Solocode ist da."]
)
def test_words_that_only_look_like_a_not_are_none(text: str):
    """A month, a bug, a part of a word."""
    assert not has_negation(text)


def test_may_the_month_is_no_hedge():
    """Dates stand in most facts."""
    assert hedges("Since 3 May it works") == {}
    assert hedges("I think it may work, maybe") == {"i think": 1, "may": 1, "maybe": 1}


def test_forms_of_a_word_are_one_token():
    """The same request comes as "commit" and "committing"."""
    assert tokens("Commit the changes") == tokens("please, committing changed") == {"commit", "chang"}


@given(st.text(max_size=300))
def test_sentences_are_in_order_and_lose_no_word(text: str):
    """A quote can be placed anywhere in a turn."""
    spans = sentences(text)
    assert spans == sorted(spans)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(left[1] <= right[0] for left, right in pairwise(spans))
