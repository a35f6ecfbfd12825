"""The board at the end of a JTAG cable, as far as scripts for the hardware manager see it (UG908): words at addresses."""

from __future__ import annotations

from pathlib import Path

from tools.vivado_design import Refused
from tools.vivado_session import Session


class Hardware(Session):
    """words: what was written, by address; written: addresses in order; answers: what reads give where it is not what was written"""

    def __init__(self) -> None:
        super().__init__()
        self.words: dict[int, int] = {}
        self.written: list[tuple[int, int]] = []
        self.answers: dict[int, int] = {}
        self.cable: list[str] = []
        self.transactions: dict[str, dict[str, str]] = {}

    def _reached(self, step: str, before: str = "") -> str:
        if before and before not in self.cable:
            raise Refused(f"{step} comes before {before}")
        self.cable.append(step)
        return ""

    def _open_hw_manager(self) -> str:
        return self._reached("manager")

    def _connect_hw_server(self, **_: str) -> str:
        return self._reached("server", "manager")

    def _open_hw_target(self, name: str = "") -> str:
        return self._reached("target", "server")

    def _get_hw_devices(self, name: str = "") -> str:
        return self._reached("device", "target") or "device:xc7a100t_0"

    def _program_hw_devices(self, device: str) -> str:
        return self._reached("program", "file")

    def _refresh_hw_device(self, device: str) -> str:
        return self._reached("refresh", "program")

    def _get_hw_axis(self, name: str = "") -> str:
        return self._reached("axi", "refresh") or "axi:hw_axi_1"

    def _set(self, kind: str, name: str, key: str, value: str) -> None:
        if (kind, key) == ("device", "PROGRAM.FILE") and Path(value).is_file():
            self._reached("file", "device")
        else:
            super()._set(kind, name, key, value)

    def _create_hw_axi_txn(self, name: str, axi: str, **options: str) -> str:
        if not axi.startswith("axi:") or options.get("type") not in ("read", "write") or not {"address", "len", "size"} <= options.keys():
            raise Refused(f"no transaction: {axi} {options}")
        if (options["type"] == "write") != ("data" in options) or options["len"] != "1" or options["size"] != "32":
            raise Refused(f"no word: {options}")
        if name in self.transactions and "force" not in options:
            raise Refused(f"there is a transaction {name} already")
        self.transactions[name] = {k: str(v) for k, v in options.items()}
        return f"txn:{name}"

    def _get_hw_axi_txns(self, name: str) -> str:
        if name not in self.transactions:
            raise Refused(f"there is no transaction {name}")
        return f"txn:{name}"

    def _run_hw_axi(self, transaction: str) -> str:
        found = self.transactions[transaction.removeprefix("txn:")]
        address = int(found["address"], 16)
        if address % 4:
            raise Refused(f"a word at {address:#x}")
        if found["type"] == "write":
            self.words[address] = int(found["data"], 16)
            self.written.append((address, self.words[address]))
        else:
            found["data"] = f"{self.answers.get(address, self.words.get(address, 0)):08x}"
        return ""

    def _get_property(self, key: str, target: str, **options: str) -> str:
        if target.startswith("txn:") and key == "DATA":
            return self.transactions[target.removeprefix("txn:")]["data"]
        return super()._get_property(key, target, **options)
