"""Slips that an adapter can be written with, at least one for each sentence of the contract."""

from tests.couriers.slips.asking import ASKING
from tests.couriers.slips.hearing import HEARING

SLIPS = (*HEARING, *ASKING)
