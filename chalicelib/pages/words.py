"""Our own words in plain English, for whoever has never read the API: one sentence a reason.

By value and not by member, because a brand reads reasons of its own (`crew_not_cleared`). A word that is missing here
is shown as it is spelled; a test holds that none is.
"""

from __future__ import annotations

from typing import Final

REASONS: Final[dict[str, str]] = {
    "rules_missing": "No rules have been published for this market, and where nobody has ruled nothing is sent.",
    "rules_stale": "The rules would have been older than their source promises before the courier was out again, "
    "and rules that old are not believed.",
    "zone_unknown": "No list says what holds at one end of the way, and unknown is not open.",
    "address_doubtful": "The address is not exact enough to say which rules hold there.",
    "address_disagrees": "The point on the map lies outside the district that the address names.",
    "crew_home_unknown": "Nobody has ruled on the place where the crew lives, so it might not get home again.",
    "closure_suspected": "Couriers could not get into the client's compound, and nobody has said why.",
    "gift_elsewhere": "The gift is not known to be where it would be fetched, and nobody is sent for it in vain.",
    "held_by_hand": "The control room has stopped it for a while, and looks at it again itself.",
    "no_handover": "The rules at the client's place allow no way of handing anything over.",
    "origin_closed": "The place where the gift is fetched is closed, and nobody there may hand it out.",
    "crossing_closed": "The way leads over a river or a line that nobody may cross.",
    "item_not_allowed": "The rules let no gift of this kind through.",
    "curfew": "A curfew leaves no time to fetch the gift, hand it over and be out again.",
    "window": "The trip does not fit into the hours that are left of those asked for.",
    "slot_full": "The courier might have gone, and has no place left in those hours.",
    "no_room": "The courier might have gone, and its vehicle has not the room left for a gift of this size or weight.",
    "vehicle_shared": "A gift of this value rides alone, and others have a place in that vehicle or may come to.",
    "quota_full": "The rules let only so many deliveries through there in a day, and those are given away.",
    "outranked": "The courier might have gone, and its places went to gifts that come first.",
    "no_slots": "No courier offers hours in that time.",
    "companions_missing": "It travels with others, and not all of those have been placed.",
    "courier_suspended": "The courier company is suspended in this market.",
    "courier_down": "The courier company does not answer at the moment, and is given nothing new.",
    "courier_refused": "The courier had turned this gift down before, and is not asked twice.",
    "crew_withdrawn": "The crew has been withdrawn: off duty, off the list, or shut in.",
    "crew_home_sealed": "The crew lives in a place that nobody may leave.",
    "credential_missing": "The crew cannot show a test that the rules ask for.",
    "credential_expires": "A test of the crew lapses before it would be out again.",
    "credential_positive": "A test of the crew was positive, and no later one has taken it back.",
    "permit_missing": "No permit is known for the crew or its vehicle.",
    "permit_scope": "The permit does not cover this way.",
    "permit_time": "The permit does not last for the whole way, there and back.",
    "permit_revoked": "The permit has been revoked.",
    "permit_vehicle": "The permit is bound to another vehicle, or to other people.",
    "permit_used": "The permit is good for one delivery, and that one has been given away.",
    "company_unlisted": "The courier company does not stand on an official list that the rules ask for.",
    "person_unlisted": "The crew does not stand on an official list that the rules ask for.",
    "temperature": "The vehicle cannot keep the gift at the temperature it needs.",
    "dwell": "The gift would be under way longer than it keeps, the rest at the gate included.",
    "signature_conflict": "A gift of this value is handed over in person at the door, and so is a visit made; the "
    "rules at the client's place do not let anybody come there.",
    "proof_missing": "The courier cannot bring back a proof that the client received it.",
    "value_uninsured": "The courier's insurance does not cover the value of the gift.",
    "not_carried": "The courier does not carry gifts of this kind.",
    "consent_missing": "The courier keeps its data in another country, and the client has not agreed to that.",
    "crew_not_cleared": "The crew is not cleared to go. Why is between it and the control room.",
}
"""Each is true of an order as a whole and of one courier's hours alike."""

CHANGES: Final[dict[str, str]] = {
    "rules_missing": "rules for this market",
    "rules_stale": "fresh rules from their source",
    "zone_unknown": "a ruling on the place that no list names",
    "address_doubtful": "a more exact address",
    "address_disagrees": "an address and a point on the map that agree",
    "crew_home_unknown": "a ruling on the place where the crew lives",
    "closure_suspected": "somebody who has looked whether the client's compound is closed",
    "gift_elsewhere": "the gift back where it is fetched",
    "held_by_hand": "a word of the control room",
    "no_handover": "rules at the client's place that allow a hand-over",
    "origin_closed": "another place to fetch the gift from",
    "crossing_closed": "a place to fetch the gift from on the client's side of the closed line",
    "item_not_allowed": "a gift of a kind that the rules let through",
    "curfew": "hours outside the curfew",
    "window": "other hours",
    "slot_full": "one more place",
    "no_room": "more room in a vehicle, or a smaller gift",
    "vehicle_shared": "a vehicle that nobody else has a place in",
    "quota_full": "another day, or a higher limit in the rules",
    "outranked": "one more place",
    "no_slots": "other hours",
    "companions_missing": "all of those placed that it travels with",
    "courier_suspended": "the courier company back in service",
    "courier_down": "the courier company answering again",
    "courier_refused": "the courier taking what it had turned down",
    "crew_withdrawn": "the crew back on duty",
    "crew_home_sealed": "a crew that lives where people may go out",
    "credential_missing": "a test of the kind that the rules ask for",
    "credential_expires": "a test that lasts until the crew is out again",
    "credential_positive": "a crew whose tests are negative",
    "permit_missing": "a pass for the crew or its vehicle",
    "permit_scope": "a pass that covers this way",
    "permit_time": "a pass that lasts there and back",
    "permit_revoked": "a pass in the place of the one that was revoked",
    "permit_vehicle": "a pass for this vehicle and these people",
    "permit_used": "one more pass for a single delivery",
    "company_unlisted": "the courier company on the official list",
    "person_unlisted": "the crew on the official list",
    "temperature": "a vehicle that keeps the gift at its temperature, or a gift that needs none",
    "dwell": "a shorter trip, or a gift that keeps longer",
    "signature_conflict": "a gift of less value, which may be left short of the door",
    "proof_missing": "a courier that brings back a proof of receipt",
    "value_uninsured": "a courier that is insured for this value, or a gift of less",
    "not_carried": "a courier that carries gifts of this kind, or another gift",
    "consent_missing": "a courier that keeps its data where the client's may be, or the client's consent",
    "crew_not_cleared": "a crew that is cleared to go",
}
"""What would be otherwise without that reason: after *with* in a sentence."""

OUT_RANKED: Final[dict[str, str]] = {
    "higher_tier": "The places went to gifts that rank higher.",
    "same_tier": "Places went to gifts of the same rank, too: those that cost less there, or drew the lot.",
    "earlier": "The places had been given away before.",
    "limit": "Places were not what was missing: the rules let only so many deliveries through.",
    "together": "It travels with others, and no offer had a place and room for all of them.",
    "room": "Places were not what was missing: beside the others no vehicle had room for a gift of its size or weight.",
    "time": "The time for planning was over before the best plan was found, so nothing is said of one place more.",
}

INSTEAD: Final[dict[str, str]] = {
    "worth_more": "its places went where they are worth more",
    "given_away": "its places had been given away before",
    "limit": "it had a place, and the rules let only so many deliveries through",
    "together": "it had no place and room for all that travel together",
    "room": "it had a place, and no room for a gift of this size or weight beside the others",
    "fair_load": "its courier has been given more already, and this market shares gifts out among couriers",
    "sooner": "it begins later: waiting for it would have cost more than it saves",
    "later": "it is late more often, which outweighs its lower price",
}
"""Of a cheaper courier: why another one goes. Goes on after *and* in a sentence."""

STEPS: Final[dict[str, str]] = {
    "dispatch": "a courier is looked for",
    "book": "the last look before booking",
    "pick_up": "the gift was fetched",
    "hand_over": "the gift was handed over",
    "rezone": "rules or fleet had changed",
    "digital": "a gift that needs no courier",
    "substitute": "something else was agreed to",
}

HEADLINES: Final[dict[tuple[str, str], str]] = {
    ("dispatch", "yes"): "A courier may go, and was given the gift",
    ("dispatch", "hold"): "Held, until what is unknown is known",
    ("dispatch", "no"): "Nobody may go",
    ("book", "yes"): "Cleared once more before booking",
    ("book", "hold"): "Not booked: something is no longer known",
    ("book", "no"): "Not booked: the courier may no longer go",
    ("pick_up", "yes"): "Fetched, and rightly so",
    ("pick_up", "hold"): "Fetched, though something was not known then",
    ("pick_up", "no"): "Fetched by a courier that might not: called back",
    ("hand_over", "yes"): "Handed over, and rightly so",
    ("hand_over", "hold"): "Handed over, though something was not known then",
    ("hand_over", "no"): "Handed over where it might not be: on record as such",
    ("rezone", "yes"): "It still may go, under the rules as they stand now",
    ("rezone", "hold"): "Stopped: something is no longer known",
    ("rezone", "no"): "Stopped: it may no longer go",
    ("digital", "yes"): "The client is given, or offered, a gift that needs no courier",
    ("digital", "hold"): "Whether the client is given a gift that needs no courier is not known yet",
    ("digital", "no"): "No gift that needs no courier in its place",
    ("substitute", "yes"): "Something else goes in its place, and somebody may bring it",
    ("substitute", "hold"): "Nothing goes in its place: something is not known",
    ("substitute", "no"): "Nothing goes in its place: nobody may bring it",
}
"""By step and decision."""

LEFT_OVER: Final = "Left over: somebody might go, and had no place for it"
"""In the place of *nobody may go*, where places are what was missing."""

HANDOVERS: Final[dict[str, str]] = {
    "door": "at the client's door",
    "lobby": "in the lobby of the building",
    "gate": "at the gate of the compound",
    "shelf": "on a shelf at the gate",
    "collection_point": "at a collection point",
}

ITEM_CLASSES: Final[dict[str, str]] = {
    "hot_meal": "a hot meal",
    "chilled": "chilled food",
    "frozen": "frozen food",
    "ambient_food": "food that needs no cooling",
    "flowers": "flowers",
    "alcohol": "alcohol",
    "cosmetics": "cosmetics",
    "fashion": "fashion",
    "high_value": "a gift of high value",
    "medicine": "medicine",
    "document": "a document",
}

LEVELS: Final[dict[str, str]] = {
    "open": "open",
    "curfew_only": "curfew only",
    "precautionary": "precautionary zone",
    "controlled": "controlled zone",
    "sealed": "sealed zone",
    "sealed_building": "sealed building",
    "no_access": "no access",
}

CREDENTIALS: Final[dict[str, str]] = {
    "pcr": "PCR test",
    "antigen": "antigen test",
    "health_code": "green health code",
    "closed_loop": "closed loop",
}

LAST_LEGS: Final[dict[str, str]] = {
    "recipient": "the client",
    "volunteer": "a volunteer",
    "property_staff": "the people of the house",
}

STOPS: Final[dict[str, str]] = {
    "delivery": "no courier is under way",
    "collection": "no client comes out to fetch",
    "hand_out": "no shop hands out",
}

QUOTAS: Final[dict[str, str]] = {"zone": "zone", "household": "household", "courier": "courier"}

LIFTS: Final[dict[str, str]] = {
    "curfew": "the curfew",
    "items": "what may come in",
    "permit": "the need of a permit",
    "requirements": "the tests that crews show",
    "companies": "the lists of courier companies",
    "persons": "the lists of people",
    "handover": "where things change hands",
}

STATES: Final[dict[str, str]] = {
    "placed": "placed, and not decided yet",
    "held": "held, and looked at again",
    "stranded": "stranded: nobody may go in the time asked for",
    "assigned": "given to a courier, and not booked yet",
    "booked": "booked with a courier",
    "picked_up": "with the courier, on its way",
    "relayed": "at a hand-over point, where another courier is to fetch it",
    "at_gate": "handed to the compound; the client's own receipt has not been told",
    "delivered": "received by the client",
    "failed": "failed after it was fetched",
    "returning": "on its way back",
    "returned": "back where it was fetched",
    "cancelled": "cancelled",
    "fulfilled_digitally": "sent as a gift that needs no courier",
}

NOTES: Final[dict[str, str]] = {
    "awaiting_proof": "its courier says that it was handed over, and the proof of that is not whole",
    "substitute_proposed": "something else was proposed in its place",
    "substituted": "something else goes in its place, as was agreed",
    "digital_offered": "a gift that needs no courier was offered in its place",
    "digital_missing": "a gift that needs no courier was to stand in, and there was none",
}
"""Of a step that is told though the state may be the same, beside its state."""

ASKED: Final[dict[str, str]] = {
    "none": "nobody had to agree",
    "brand": "its brand had to agree",
    "client": "the client had to agree",
}

ANSWERED: Final[dict[str, str]] = {
    "open": "no answer yet",
    "accepted": "agreed to",
    "declined": "declined",
    "withdrawn": "withdrawn, for it had changed meanwhile,",
}
"""Of a proposal."""

PARTS: Final[dict[str, str]] = {
    "seal": "the number of its seal, read at both ends",
    "code": "the code that only the client has",
    "identity": "a look at who the client is",
    "photo": "a photo, in the place of a look at who the client is",
}
"""What a hand-over is proven by."""

FALLBACKS: Final[dict[str, str]] = {
    "hold": "hold the gift",
    "digital": "send one that needs no courier",
    "cancel": "cancel it",
}

DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
"""Not `strftime`, which speaks the language of the machine."""


def said(words: dict[str, str], name: str) -> str:
    """The words for that name; a name that has none is read out."""
    return words.get(name) or name.replace("_", " ")


def listed(parts: list[str], last: str = "and") -> str:
    """`a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


PLACES: Final[dict[str, int]] = {
    "JPY": 0,
    "KRW": 0,
    "VND": 0,
    "CLP": 0,
    "KWD": 3,
    "BHD": 3,
    "JOD": 3,
    "TND": 3,
}
"""Decimal places of currencies that have not two (ISO 4217)."""


def money(amount: int, currency: str) -> str:
    """`12.50 CNY` of minor units."""
    places = PLACES.get(currency, 2)
    whole, rest = divmod(abs(amount), 10**places)
    said = f"{whole:,}.{rest:0{places}d}" if places else f"{whole:,}"
    return f"{'-' if amount < 0 else ''}{said} {currency}"
