"""Where a call may not go."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statebag.errors import InputRefused, NodeFailed, ProviderUnavailable
from statebag.nodes.http import AllowList, Guard, parse_allow_list, read_allow_list
from statebag.nodes.http._addresses import why_not_public
from statebag.nodes.http._hosts import read_host

PRIVATE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "169.254.0.1", "100.64.0.1", "100.127.255.255", "100.100.100.200", "168.63.129.16"),
    *("192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "::127.0.0.1", "::8.8.8.8"),
    *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:808:808::1", "2001:0:53aa:64c:0:5efe:80ff:fffe"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::a00:1", "64:ff9b:1::808:808"),
    *("100::1", "4000::1", "5f00::1"),
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(NodeFailed) as refused:
        Guard(allowed=AllowList()).read_url(f"https://{host}/")
    assert refused.value.code == "API_ADDRESS_REFUSED"
    assert refused.value.details == {"host": str(ip_address(address)), "address": str(ip_address(address))}


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_leads_there_is_refused_although_others_of_its_addresses_are_public(
    address: str, call: Callable[..., Any], network: Callable[..., Any]
) -> None:
    wired, names, wires = network(["8.8.8.8", address])
    with pytest.raises(NodeFailed) as refused:
        call("https://api.example.com/", network=wired)
    assert refused.value.code == "API_ADDRESS_REFUSED"
    assert "api.example.com is" in refused.value.message
    assert (names.asked, wires.connected) == ([("api.example.com", 443)], [])


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_passes(address: str) -> None:
    assert why_not_public(ip_address(address)) is None


@given(st.ip_addresses(v=4))
def test_what_python_takes_for_special_is_never_public(address: IPv4Address) -> None:
    special = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
    if special or address.is_reserved or address.is_unspecified:
        assert why_not_public(address) is not None


@given(st.ip_addresses(v=4))
def test_an_address_inside_of_another_is_public_at_most_behind_nat64(inner: IPv4Address) -> None:
    number = int(inner)
    assert why_not_public(IPv6Address(0x0064FF9B << 96 | number)) == (
        None if why_not_public(inner) is None else f"{why_not_public(inner)}, behind NAT64"
    )
    for carrier in (0xFFFF << 32 | number, number, 0x2002 << 112 | number << 80, 0x20010000 << 96 | number):
        assert why_not_public(IPv6Address(carrier)) is not None


@pytest.mark.parametrize(
    "url",
    [
        *("http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.1/"),
        *("http://127.0.1/", "http://017700000001/", "http://0x7F.0x0.0x0.0x1/", "http://134744072/"),
        *("http://127.0.0.1./", "http://127.0.0.01/", "http://1.1.1.1.1/", "http://0/", "http://999.1.1.1/"),
        *("http://localhost/", "http://LOCALHOST/", "http://localhost./", "http://a.localhost/"),
        *("http://localhost.localdomain/", "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "http://ｌocalhost/"),
        *("http://127。0。0。1/", "http://１２７.0.0.1/", "http://①②⑦.0.0.1/"),
        *("http://[fe80::1%25eth0]/", "http://[::ffff:7f00:1]/", "http://[0:0:0:0:0:0:0:1]/", "http://[::]/"),
        *("http://user:pass@example.com/", "http://user@example.com/", "http://8.8.8.8@127.0.0.1/"),
        *("http://example.com\\@127.0.0.1/", "http://@example.com/"),
        *("http://example.com:8080/", "https://example.com:22/", "http://example.com:0/", "http://8.8.8.8:25/"),
        *("ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "javascript://x", "unix://x/"),
        *("http:///path", "http://exa mple.com/", "http://a..b/", "http://.example.com/", "http://-a.example/"),
        *("http://ex%61mple.com/", "http://" + "a" * 64 + ".com/", "http://example.com../"),
    ],
)
def test_a_url_that_hides_or_misleads_is_refused_before_any_lookup(
    url: str, call: Callable[..., Any], network: Callable[..., Any], check: Callable[..., Any]
) -> None:
    wired, names, wires = network()
    with pytest.raises(NodeFailed) as refused:
        call("{{url}}", {"url": url}, network=wired)
    assert refused.value.code == "API_ADDRESS_REFUSED"
    assert (names.asked, wires.connected) == ([], [])
    assert check(url=url) == [("$.nodes[0].config.url", "API_ADDRESS_REFUSED")]


@pytest.mark.parametrize(
    "url",
    [
        *("", "  ", "example.com", "/path", "//example.com/", "http:example.com", "http://a/\r\nX: y", "http://a/\0"),
        *("http://a:b/", "http://a:99999/", "http://[::1/", "http://[zz]/", "http://a℀b/"),
    ],
)
def test_what_is_no_url_is_refused(url: str, call: Callable[..., Any]) -> None:
    with pytest.raises(NodeFailed) as refused:
        call("{{url}}", {"url": url})
    assert refused.value.code == "API_REQUEST_INVALID"
    assert refused.value.message.startswith("node `ask`: GET: ")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("EXAMPLE.com.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("ｅxample。com", "example.com"),
        ("my_service", "my_service"),
        ("[2606:2800:0220:1::1]", "2606:2800:220:1::1"),
        ("8.8.8.8", "8.8.8.8"),
        ("1.2.3.4.example", "1.2.3.4.example"),
    ],
)
def test_a_host_has_one_form(written: str, meant: str) -> None:
    assert read_host(written) == meant
    assert read_host(meant) == meant


@given(st.text(max_size=30))
def test_any_text_is_a_host_in_ascii_or_none(text: str) -> None:
    try:
        host = read_host(text)
    except ValueError:
        return
    assert host.isascii()
    assert read_host(host) == host


def test_the_connection_goes_to_the_address_that_was_checked_and_no_second_lookup_is_made(
    service: Any, call: Callable[..., Any], network: Callable[..., Any]
) -> None:
    service.says("/a", '{"ok": true}')
    wired, names, wires = network(["93.184.216.34"], ["127.0.0.1"], port=service.port)
    output = call("http://api.example.com/a", network=wired)
    assert output.changes == {"ask_status": 200, "ask_response": {"ok": True}}
    assert names.asked == [("api.example.com", 80)]
    assert wires.connected == [("93.184.216.34", 80)]
    assert service.asked[0].headers["host"] == "api.example.com"


def test_an_address_in_the_url_is_looked_up_nowhere(
    service: Any, call: Callable[..., Any], network: Callable[..., Any]
) -> None:
    service.says("/a", "1")
    for host, address in (("8.8.8.8", "8.8.8.8"), ("[2606:2800:0::1]", "2606:2800::1")):
        wired, names, wires = network(port=service.port)
        assert call(f"http://{host}/a", network=wired).changes["ask_response"] == 1
        assert (names.asked, wires.connected) == ([], [(address, 80)])
    assert [asked.headers["host"] for asked in service.asked] == ["8.8.8.8", "[2606:2800::1]"]


def test_each_hop_of_a_redirect_is_checked_again(
    service: Any, call: Callable[..., Any], network: Callable[..., Any]
) -> None:
    service.says("/a", status=302, Location="/b")
    service.says("/b", '"never"')
    wired, names, wires = network(["93.184.216.34"], ["169.254.169.254"], port=service.port)
    with pytest.raises(NodeFailed) as refused:
        call("http://api.example.com/a", network=wired)
    assert refused.value.code == "API_ADDRESS_REFUSED"
    assert (len(names.asked), wires.connected) == (2, [("93.184.216.34", 80)])


def test_addresses_are_tried_in_turn(service: Any, call: Callable[..., Any], network: Callable[..., Any]) -> None:
    service.says("/a", "1")
    wired, _, wires = network(
        ["2606:2800::1", "8.8.8.8", "8.8.8.8", "1.1.1.1"], port=service.port, silent=["2606:2800::1"]
    )
    assert call("http://api.example.com/a", network=wired).changes["ask_response"] == 1
    assert wires.connected == [("2606:2800::1", 80), ("8.8.8.8", 80)]


def test_a_host_without_an_address_that_answers_is_unreachable(
    call: Callable[..., Any], network: Callable[..., Any]
) -> None:
    wired, _, wires = network(["8.8.8.8", "1.1.1.1"])
    with pytest.raises(ProviderUnavailable) as failed:
        call("http://api.example.com/a?key=secret", network=wired)
    assert failed.value.code == "API_UNREACHABLE"
    assert "1.1.1.1 is silent" in failed.value.message
    assert "secret" not in failed.value.message
    assert len(wires.connected) == 2
    wired, _, _ = network([])
    with pytest.raises(ProviderUnavailable, match="has no address"):
        call("http://api.example.com/", network=wired)


@pytest.mark.parametrize(
    ("entry", "url", "allowed"),
    [
        ("localhost", "http://localhost:9000/", True),
        ("localhost:9000", "http://LOCALHOST.:9000/", True),
        ("localhost:9000", "http://localhost:9001/", False),
        ("127.0.0.1:8080", "http://127.0.0.1:8080/", True),
        ("127.0.0.1:8080", "http://127.0.0.1/", False),
        ("127.0.0.1", "http://127.0.0.1:1/", True),
        ("10.0.0.0/8", "http://10.9.8.7:1234/", True),
        ("10.0.0.0/8", "http://11.0.0.1:1234/", False),
        ("10.0.0.0/8", "http://172.16.0.1/", False),
        ("[::1]:8080", "http://[::1]:8080/", True),
        ("[::1]", "http://[0:0::1]:1/", True),
        ("fd00::/8", "http://[fd00:ec2::254]/", True),
        ("*.internal.example:8443", "https://a.b.internal.example:8443/", True),
        ("*.internal.example:8443", "https://internal.example:8443/", False),
        ("*.internal.example", "https://evilinternal.example:8443/", False),
        ("a.example:8443", "https://a.example:8443/", True),
        ("a.example:8443", "https://a.example/", True),
        ("bücher.example:1", "http://xn--bcher-kva.example:1/", True),
        (" a.example:1 ,, 10.0.0.0/8 ", "http://10.0.0.1:1/", True),
        ("127.0.0.0/8", "http://2130706433/", False),
        ("127.0.0.0/8", "http://[::ffff:127.0.0.1]/", False),
    ],
)
def test_the_configuration_allows_what_it_names(
    entry: str, url: str, allowed: bool, monkeypatch: pytest.MonkeyPatch, check: Callable[..., Any]
) -> None:
    monkeypatch.setenv("STATEBAG_API_ALLOW", entry)
    assert (check(url=url) == []) is allowed


def test_a_listed_name_may_lead_to_a_private_address_and_a_listed_network_may_have_names(
    service: Any, call: Callable[..., Any], network: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    service.says("/a", "1")
    for entry in ("a.example:8080", "*.example", "10.0.0.0/8", "10.1.1.1:8080"):
        monkeypatch.setenv("STATEBAG_API_ALLOW", entry)
        wired, _, wires = network(["10.1.1.1"], port=service.port)
        assert call("http://a.example:8080/a", network=wired).changes["ask_response"] == 1
        assert wires.connected == [("10.1.1.1", 8080)]
    for entry in ("b.example", "10.2.0.0/16", "10.1.1.1:8081", "*.a.example"):
        monkeypatch.setenv("STATEBAG_API_ALLOW", entry)
        wired, _, wires = network(["10.1.1.1"], port=service.port)
        with pytest.raises(NodeFailed) as refused:
            call("http://a.example:8080/a", network=wired)
        assert (refused.value.code, wires.connected) == ("API_ADDRESS_REFUSED", [])


def test_a_listed_network_opens_no_port_of_public_hosts(
    call: Callable[..., Any], network: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATEBAG_API_ALLOW", "10.0.0.0/8")
    wired, _, wires = network(["8.8.8.8"])
    with pytest.raises(NodeFailed, match="port 8080 is neither 80 nor 443"):
        call("http://a.example:8080/", network=wired)
    assert wires.connected == []


@pytest.mark.parametrize("entry", ["a b", "http://x", "10.0.0.1/8", "x:99999", "x:0", "*.", "[::1", "1.2.3", "a:b"])
def test_a_list_that_can_not_be_read_is_refused(
    entry: str, check: Callable[..., Any], call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="a list of hosts"):
        parse_allow_list(f"a.example,{entry}")
    with pytest.raises(InputRefused) as refused:
        read_allow_list({"STATEBAG_API_ALLOW": entry})
    assert (refused.value.code, refused.value.problems[0].path) == ("SETTING_INVALID", "$STATEBAG_API_ALLOW")
    monkeypatch.setenv("STATEBAG_API_ALLOW", entry)
    assert check(url="https://example.com") == [("$STATEBAG_API_ALLOW", "SETTING_INVALID")]
    with pytest.raises(InputRefused):
        call("https://example.com")
