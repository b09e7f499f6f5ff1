# type: ignore
# ruff: noqa
"""`datetime.fromtimestamp`; the sandbox is in UTC."""


def _statebag_from_timestamp(kind, int=int, round=round):
    import datetime

    def from_timestamp(stamp, tz=None):
        whole = int(stamp // 1)
        micro = round((stamp - whole) * 1_000_000)
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=whole, microseconds=micro)
        if kind is datetime.date:
            return moment.date()
        if tz is None:
            return moment
        return moment.replace(tzinfo=datetime.timezone.utc).astimezone(tz)

    return from_timestamp
