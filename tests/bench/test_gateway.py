"""What the gateway's benchmark tells of a stream and of a promise: it must notice what goes wrong."""

import json

import pytest
from bench.gateway.figures import CHAT_1, CHAT_32, Figures, Gate, gate_line
from bench.gateway.streams import parse_stream, stream_figures

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MS = 1_000_000


def event(number: int, sent_ns: int = 0) -> bytes:
    return b"data: " + json.dumps({"number": number, "sent_ns": sent_ns}).encode() + b"\n\n"


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


DONE = chunk(b"data: [DONE]\n\n") + chunk(b"")


def test_a_token_arrives_with_the_piece_that_ends_its_chunk() -> None:
    first, second = chunk(event(0, 1)), chunk(event(1, 2))
    stream = parse_stream([10, 20, 30], [HEAD + first + second[:9], second[9:], DONE])
    assert [(token.number, token.sent_ns, token.received_ns) for token in stream.tokens] == [
        (0, 1, 10),
        (1, 2, 20),
    ]
    assert stream.is_whole


def test_events_split_and_joined_over_chunks_are_all_seen() -> None:
    text = event(0) + b": a comment\n\n" + event(1) + event(2)
    stream = parse_stream([10], [HEAD + chunk(text[:7]) + chunk(text[7:60]) + chunk(text[60:]) + DONE])
    assert [token.number for token in stream.tokens] == [0, 1, 2]


@pytest.mark.parametrize(
    "end", [b"", chunk(b"data: [DONE]\n\n"), chunk(b""), DONE[:-3]], ids=["cut", "unended", "undone", "short"]
)
def test_a_stream_without_its_end_is_cut_short(end: bytes) -> None:
    stream = parse_stream([10], [HEAD + chunk(event(0)) + end])
    assert not stream.is_whole
    assert stream_figures([stream], 1)["cut short"] == 1


def test_an_answer_that_is_no_stream_ends_the_measurement() -> None:
    with pytest.raises(SystemExit, match="503"):
        parse_stream([10], [b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"])


@pytest.mark.parametrize(
    ("numbers", "lost", "out_of_place"),
    [([0, 1, 2, 3], 0, 0), ([0, 1, 3], 1, 0), ([0, 2, 1, 3], 0, 1), ([0, 1, 1, 2, 3], 0, 1), ([], 4, 0)],
)
def test_what_is_lost_reordered_or_doubled_counts(numbers: list[int], lost: int, out_of_place: int) -> None:
    stream = parse_stream([10], [HEAD + b"".join(chunk(event(number)) for number in numbers) + DONE])
    figures = stream_figures([stream], 4)
    assert (figures["lost"], figures["out of place"]) == (lost, out_of_place)


def test_a_relay_that_holds_tokens_back_shows() -> None:
    count = 60
    pieces = [HEAD, *(chunk(event(number, number * 20 * MS)) for number in range(count)), DONE]
    # Every second token waits for the next one.
    times = [0, *((number + number % 2) * 20 * MS + MS for number in range(count)), count * 20 * MS]
    figures = stream_figures([parse_stream(times, pieces)], count)
    assert figures["gap p99 ms"] == 40
    assert figures["stretch p99 ms"] == 20
    assert figures["delay p99 ms"] == 21


def gate_figures(ours: list[float], haproxy: list[float]) -> Figures:
    figures = Figures()
    for mine, its in zip(ours, haproxy, strict=True):
        figures.add(CHAT_1, "direct", {"p50 us": 10.0})
        figures.add(CHAT_1, "ours", {"p50 us": mine})
        figures.add(CHAT_1, "haproxy", {"p50 us": its})
    return figures


@pytest.mark.parametrize(
    ("ours", "verdict"), [([60.0, 50.0, 70.0], "met"), ([160.0, 150.0, 70.0], "NOT MET")]
)
def test_a_promise_is_judged_by_the_median_of_what_is_added(ours: list[float], verdict: str) -> None:
    figures = gate_figures(ours, [110.0, 90.0, 110.0])
    gate = Gate(CHAT_1, "added p50 us", "haproxy", 1.0, False, 0.6)
    line = gate_line(gate, figures.of(CHAT_1, "ours"), figures.of(CHAT_1, "haproxy"))
    assert line.split("  ")[0].strip() == verdict


def test_a_promise_of_nothing_lost_counts_every_round() -> None:
    gate = Gate(CHAT_32, "errors", None, 0, False, unit="")
    seen = {"errors": [0.0, 0.0, 0.0, 1.0, 0.0]}
    assert gate_line(gate, seen, seen).startswith("NOT MET")


def test_what_was_not_measured_is_not_met() -> None:
    gate = Gate(CHAT_32, "requests/s", "haproxy", 1.0, True)
    assert gate_line(gate, {"requests/s": [1.0]}, {}).startswith("not measured")
