"""The network side in Markdown: faults; the host; each container's links, addresses, way out, DNS, ports; drawing."""
from __future__ import annotations

from typing import Any, List, Sequence

from .containers import display_name
from .markdown import escape, table
from .network import cidr

_TITLES = ("Container", "Links", "Addresses", "Default routes", "DNS", "Listens", "Published")


def faults_markdown(report: dict[str, Any]) -> List[str]:
    """What is wrong, and what could not be told."""
    lines: List[str] = []
    if report["faults"]:
        lines += ["## Faults", ""]
        lines += table(("Severity", "Where", "What", "Check", "What to do"), [
            [escape(one.get("severity")), escape(_where(one)), escape(one.get("reason")), escape(one.get("check")),
             escape(one.get("remediation"))] for one in report["faults"]
        ]) + [""]
    if report["unjudged"]:
        lines += ["## Could not be judged", ""]
        lines += table(("Check", "Why"), [[escape(one["check"]), escape(one["reason"])] for one in report["unjudged"]])
        lines += [""]
    return lines


def _where(fault: dict[str, Any]) -> str:
    container, thing = fault.get("container"), fault.get("object")
    who = "the host" if container is None else str(container)
    return f"{who}: {thing}" if thing else who


def network_markdown(report: dict[str, Any]) -> List[str]:
    """The host's side, and a row a container."""
    if "network" not in report:
        return []
    lines = ["## Network", ""]
    host = report["network"]
    if host is None:
        lines += ["The host's own network was not seen.", ""]
    else:
        ways = _ways(host) or ["no default route"]
        lines += ["The host: %s." % "; ".join(ways), ""]
        lines += table(("Link of the host", "Kind", "State", "MTU", "Addresses", "Leads to"), [
            _host_row(host, link) for link in host["links"] if not _is_end(host, link)
        ]) + [""]
        off = [key for key, value in host["forwarding"].items() if str(value) == "0"]
        if off:
            lines += ["Off: %s." % ", ".join(map(escape, off)), ""]
    if report["containers"]:
        lines += table(_TITLES, [_row(one) for one in report["containers"]]) + [""]
    return lines


def _is_end(network: dict[str, Any], link: dict[str, Any]) -> bool:
    """Whether it is the host's end of a veth: those stand beside their containers."""
    mine = [address for address in network["addresses"] if address.get("link") == link["name"]]
    own = [address for address in mine if address.get("scope") != "link" or address.get("family") == "inet"]
    return link.get("kind") == "veth" and not own


def _host_row(network: dict[str, Any], link: dict[str, Any]) -> List[str]:
    attached = link.get("attached")
    ports = (link.get("details") or {}).get("ports")
    leads = "on %s" % attached["to"] if attached else "%d ports" % len(ports) if isinstance(ports, list) else ""
    if link.get("master"):
        leads = "port of %s" % link["master"]
    mine = [cidr(address) for address in network["addresses"] if address.get("link") == link["name"]]
    return [escape(link["name"]), escape(link["kind"]), escape(link["state"]), escape(link["mtu"]),
            "<br>".join(map(escape, mine)), escape(leads)]


def _row(one: dict[str, Any]) -> List[str]:
    network, name = one["network"], escape(display_name(one))
    if network["host"]:
        return [name, "the host's network", "", "", "", _cell(map(_listener, network.get("listening") or ())), ""]
    if not network["seen"]:
        return [name, "not seen", "", "", "", "", ""]
    links = [link for link in network["links"] if link.get("kind") != "loopback"]
    addresses = ["%s %s" % (row.get("link"), cidr(row)) for row in network["addresses"] if row.get("link") != "lo"]
    dns = network.get("dns")
    servers = ["not seen"] if dns is None else dns.get("nameservers") or ["none"]
    return [
        name, _cell(map(_link, links)) or "only lo", _cell(addresses), "<br>".join(_ways(network)) or "none",
        _cell(servers), _cell(map(_listener, network["listening"])), _cell(map(_published, network["published"])),
    ]


def _cell(texts: Any) -> str:
    return "<br>".join(escape(text) for text in texts)


def _link(link: dict[str, Any]) -> str:
    peer, attached = link.get("peer"), link.get("attached")
    text = "%s (%s, %s, mtu %s)" % (link["name"], link["kind"], link["state"], link["mtu"])
    if isinstance(peer, dict):
        text += " to %s" % (peer.get("name") or "an end that was not seen")
        if attached is not None and attached["kind"] != "veth":
            text += " on %s (%s, mtu %s)" % (attached["to"], attached["kind"], attached["mtu"])
    elif attached is not None:
        text += " on %s (%s, mtu %s)" % (attached["to"], attached["kind"], attached["mtu"])
    return text


def _ways(network: dict[str, Any]) -> List[str]:
    found = []
    for way in network["default_routes"]:
        text = "default via %s dev %s" % (way["gateway"] or "the link itself", way["link"])
        if way["metric"]:
            text += " metric %s" % way["metric"]
        found.append(escape(text + ("" if way["table"] == "main" else " table %s" % way["table"])))
    return found


def _listener(row: dict[str, Any]) -> str:
    who = sorted({str(process.get("comm")) for process in row["processes"]})
    return "%s/%s%s" % (_at(row["address"], row["port"]), row["protocol"], " (%s)" % ", ".join(who) if who else "")


def _published(row: dict[str, Any]) -> str:
    proof = ", ".join(map(str, row["proved_by"]))
    return "%s to %s/%s%s" % (_at(row["host_address"], row["host_port"]), row["port"], row["protocol"],
                              " (%s)" % proof if proof else "")


def _at(address: Any, port: Any) -> str:
    return f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"


def drawing_markdown(flowchart: str, said: Sequence[str], picture: str | None) -> List[str]:
    """The drawing: the picture that lies beside the page, if there is one, and the flowchart."""
    lines = ["## Wiring", ""]
    if picture is not None:
        lines += [f"![Wiring]({picture})", ""]
    lines += ["```mermaid", flowchart, "```", ""]
    for sentence in said:
        lines += [escape(sentence), ""]
    return lines
