"""Names, departments and sites for a made-up company."""
# ruff: noqa: RUF001  # a Turkish name has its own letters

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

__all__ = ["DEPARTMENTS", "NAMES", "SITES", "mailbox"]

NAMES: Sequence[tuple[Sequence[str], Sequence[str]]] = (
    (
        ("Anke", "Bernd", "Dörte", "Emil", "Frauke", "Götz", "Hanna", "Jürgen", "Lena", "Malte"),
        ("Albrecht", "Brückner", "Fuß", "Hoffmann", "Köhler", "Lüders", "Meyer", "Öhlmann",
         "Schäfer", "Vogt"),
    ),
    (
        ("Aurélie", "Benoît", "Camille", "Éloïse", "Gaspard", "Hélène", "Loïc", "Maëlle",
         "Noémie", "Rémi"),
        ("Aubert", "Besson", "Châtelain", "Delacroix", "Fèvre", "Gauthier", "Lefèbvre", "Noël",
         "Rousseau", "Vasseur"),
    ),
    (
        ("Agnieszka", "Bartosz", "Celina", "Grażyna", "Jędrzej", "Krystyna", "Łukasz", "Michał",
         "Stanisław", "Zofia"),
        ("Adamczyk", "Błaszczyk", "Dąbrowski", "Głowacka", "Kowalczyk", "Łuczak", "Nowak",
         "Sęk", "Wójcik", "Żak"),
    ),
    (
        ("Adele", "Bruno", "Chiara", "Davide", "Elisa", "Fabrizio", "Giulia", "Lorenzo",
         "Niccolò", "Teresa"),
        ("Barbieri", "Caruso", "D'Angelo", "De Luca", "Ferrari", "Galli", "Marchetti", "Niccolai",
         "Rizzo", "Serra"),
    ),
    (
        ("Begoña", "Íñigo", "Joaquín", "Lucía", "Martín", "Nuria", "Óscar", "Pilar", "Raúl",
         "Sofía"),
        ("Álvarez", "Castaño", "Domínguez", "Fernández", "Ibáñez", "López", "Muñoz", "Núñez",
         "Peña", "Vázquez"),
    ),
    (
        ("Åsa", "Björn", "Ebba", "Göran", "Håkan", "Ingrid", "Kajsa", "Mårten", "Sören", "Ylva"),
        ("Ahlström", "Bergqvist", "Engström", "Forsgren", "Hägg", "Lindqvist", "Nyström", "Öberg",
         "Sjögren", "Wallin"),
    ),
    (
        ("Antónia", "Bárbara", "Conceição", "Duarte", "Gonçalo", "Inês", "João", "Luísa",
         "Simão", "Tomás"),
        ("Araújo", "Brandão", "Conceição", "Esteves", "Guimarães", "Leitão", "Magalhães",
         "Nogueira", "Simões", "Vieira"),
    ),
    (
        ("Anouk", "Bram", "Daan", "Femke", "Guus", "Jolijn", "Maud", "Pieter", "Sanne", "Thijs"),
        ("van den Berg", "de Boer", "Dijkstra", "van Dongen", "Hoekstra", "Jansen", "Kuipers",
         "Ter Horst", "Veenstra", "de Wit"),
    ),
    (
        ("Barış", "Çağla", "Deniz", "Elif", "Gülşen", "İpek", "Kerem", "Özge", "Şükrü", "Yiğit"),
        ("Aydın", "Bozkurt", "Çelik", "Doğan", "Güneş", "Işık", "Karataş", "Öztürk", "Şahin",
         "Yıldız"),
    ),
    (
        ("Alžběta", "Bořivoj", "Dušan", "Eliška", "Jiří", "Kateřina", "Lukáš", "Markéta",
         "Štěpán", "Zdeňka"),
        ("Bartoš", "Dvořák", "Hájek", "Jelínková", "Kučera", "Marešová", "Novotný", "Růžička",
         "Šimek", "Vaněk"),
    ),
)  # fmt: skip
"""First and last names of ten countries."""

DEPARTMENTS = {
    "Field Service": 34,
    "Warehouse": 14,
    "Logistics": 10,
    "Sales": 16,
    "Quality": 10,
    "Finance": 9,
    "IT": 7,
}
"""Departments and how many of a hundred people work there."""

SITES = ("Hamburg", "Lyon", "Kraków", "Torino", "Bilbao", "Malmö", "Porto", "Utrecht", "İzmir",
         "Brno")  # fmt: skip
"""One for each country of `NAMES`, in the same order."""

LETTERS = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "ı": "i", "đ": "d", "æ": "ae"})


def mailbox(first: str, last: str) -> str:
    """Return the part of an address before the @: lower case, no accents, no spaces."""
    folded = f"{first}.{last}".lower().translate(LETTERS)
    plain = unicodedata.normalize("NFKD", folded).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z.]+", "", plain)
