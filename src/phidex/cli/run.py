"""The installation and what runs on it: `phidex doctor`, `phidex ui`."""

from __future__ import annotations

from phidex.cli.options import AddressOption, DataOption, JsonOption, PortOption
from phidex.cli.session import print_json, read_settings


def doctor(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Say what is installed and reachable, what each missing part would enable, and how to get it."""
    from phidex.doctor import examine
    from phidex.show import show_findings

    findings = examine(read_settings(data))
    if as_json:
        print_json([finding.to_dict() for finding in findings])
    else:
        show_findings(findings)
    if any(finding.state == "broken" for finding in findings):
        raise SystemExit(3)


def ui(data: DataOption = None, port: PortOption = 8501, address: AddressOption = "127.0.0.1") -> None:
    """Open the web app on this machine."""
    from phidex.ui.launch import launch

    raise SystemExit(launch(read_settings(data).data, port, address))
