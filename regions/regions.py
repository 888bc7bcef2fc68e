"""Which regions exist and which one this is."""

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True)
class Region:
    name: str
    """As operators say it: `tokyo`."""
    aws_region: str
    """As AWS says it: `ap-northeast-1`."""

    @property
    def title(self) -> str:
        return self.name.title()


def all_regions() -> list[Region]:
    """Every region, in the order of `ANYPORT_REGIONS`."""
    return [Region(name, code) for name, code in settings.ANYPORT_REGIONS.items()]


def this_region() -> Region:
    return region(settings.ANYPORT_REGION)


def region(name: str) -> Region:
    """Raises KeyError for a name that is not in `ANYPORT_REGIONS`."""
    return Region(name, settings.ANYPORT_REGIONS[name])


def local_first() -> list[Region]:
    """Every region, this one first: the order in which reads are tried."""
    here = this_region()
    return [here, *(other for other in all_regions() if other != here)]
