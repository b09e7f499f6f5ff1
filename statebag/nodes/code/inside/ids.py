# type: ignore
# ruff: noqa
"""`uuid`: ids that are the same at each try."""


def _statebag_open_uuid(seed, number=int, hash=hash, isinstance=isinstance, len=len, str=str, ValueError=ValueError):
    import random

    ids = random.Random(seed)

    class UUID:
        def __init__(self, hex=None, *, int=None, version=None):
            if int is None:
                digits = hex.replace("urn:", "").replace("uuid:", "").strip("{}").replace("-", "")
                if len(digits) != 32:
                    raise ValueError("badly formed hexadecimal UUID string")
                int = number(digits, 16)
            if version is not None:
                int = int & ~(0xC000 << 48) & ~(0xF000 << 64) | (0x8000 << 48) | (version << 76)
            self.int = int
            self.hex = f"{int:032x}"
            self.version = int >> 76 & 0xF
            self.urn = "urn:uuid:" + str(self)

        def __str__(self):
            text = self.hex
            return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]

        def __repr__(self):
            return "UUID('" + str(self) + "')"

        def __eq__(self, other):
            return isinstance(other, UUID) and self.int == other.int

        def __hash__(self):
            return hash(self.int)

    def uuid1(node=None, clock_seq=None):
        return UUID(int=ids.getrandbits(128), version=1)

    def uuid4():
        return UUID(int=ids.getrandbits(128), version=4)

    def uuid3(namespace, name):
        return UUID(_statebag_named_uuid(3, namespace.hex, name))

    def uuid5(namespace, name):
        return UUID(_statebag_named_uuid(5, namespace.hex, name))

    class Module:
        pass

    module = Module()
    module.UUID = UUID
    module.uuid1 = uuid1
    module.uuid3 = uuid3
    module.uuid4 = uuid4
    module.uuid5 = uuid5
    module.NAMESPACE_DNS = UUID("6ba7b8109dad11d180b400c04fd430c8")
    module.NAMESPACE_URL = UUID("6ba7b8119dad11d180b400c04fd430c8")
    module.NAMESPACE_OID = UUID("6ba7b8129dad11d180b400c04fd430c8")
    module.NAMESPACE_X500 = UUID("6ba7b8149dad11d180b400c04fd430c8")
    return module


_statebag_uuid = _statebag_open_uuid(_statebag_seed)
