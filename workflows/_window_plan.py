"""What a window has to run: how many units, in which waves, how many at a time."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WindowPlan"]


@dataclass(frozen=True, kw_only=True)
class WindowPlan:
    """What a window has to run; the same in each history of its coordinator."""

    prefix: str
    """Of the children's workflow ids; the unit's number follows."""
    waves: tuple[tuple[int, int], ...]
    """``(units, times)``: so many waves of so many units; one begins when the one before it is over."""
    limit: int
    """Units at the same time."""
    batched: bool = False
    """Whether ``limit`` units begin together, and the next ones only when all of them are over."""
    tolerated: int | None = None
    """Failed items with which it can still succeed; with more it stops. None: it never stops."""
    first: int = 0
    """Number of the first unit."""
    timeout_seconds: float | None = None
    """For a unit from its start to its end."""

    @property
    def units(self) -> int:
        """Number of units."""
        return sum(size * times for size, times in self.waves)

    def end_of_wave(self, done: int) -> int:
        """The number of units up to the end of the wave behind the first ``done`` ones."""
        end = 0
        for size, times in self.waves:
            if size and done < end + size * times:
                return end + ((done - end) // size + 1) * size
            end += size * times
        return end
