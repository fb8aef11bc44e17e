"""What is hidden, and what is not."""

import pytest

from asrkit.utils.mask import mask, masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no file https://me:pa@ss@host/a/b.tar", "no file https://***@host/a/b.tar"),
        ("s3://KEYID:SECRET@bucket/a", "s3://***@bucket/a"),
        (
            "https://host/a?X-Amz-Signature=0a1b&part=2: status 403",
            "https://host/a?***: status 403",
        ),
        ("['https://host/a?sig=x%2Fy', 'b']", "['https://host/a?***', 'b']"),
        ("[http://u:p@h/a,http://u2:p2@h/b]", "[http://***@h/a,http://***@h/b]"),
        ("simplecache::http://u:p@h/a", "simplecache::http://***@h/a"),
        ("https://host/a/b.tar; really?", "https://host/a/b.tar; really?"),
        ("write to me@host, or not?", "write to me@host, or not?"),
    ],
)
def test_urls(text, shown):
    assert mask(text) == shown


@pytest.mark.parametrize(
    "name",
    ["HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "MYSECRET", "APIKEY",
     "db_password", "WANDB_API_KEY", "GITHUB_TOKEN"],
)  # fmt: skip
def test_values_of_the_environment(monkeypatch, name):
    monkeypatch.setenv(name, "abc-12345")
    assert mask("x=abc-12345!") == "x=***!"


def test_other_values_are_left(monkeypatch):
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false-false")
    monkeypatch.setenv("MONKEY", "abc-12345")
    monkeypatch.setenv("SHORT_TOKEN", "true")
    text = "false-false abc-12345 true"
    assert mask(text) == text


def test_a_secret_that_holds_another_is_hidden_whole(monkeypatch):
    monkeypatch.setenv("A_TOKEN", "abcdefgh")
    monkeypatch.setenv("B_TOKEN", "abcdefghijkl")
    assert mask("abcdefghijkl") == "***"


def test_plain_values(monkeypatch):
    monkeypatch.setenv("A_TOKEN", "abcdefgh")
    plain = {"data": {"shards": ["http://a:b@c/d", "x"], "n": 3, "on": True, "e": None}}
    assert masked(plain) == {
        "data": {"shards": ["http://***@c/d", "x"], "n": 3, "on": True, "e": None}
    }
