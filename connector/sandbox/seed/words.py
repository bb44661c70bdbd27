"""Words the made-up businesses are named with. Nothing here means a real business; addresses end in ``.example``."""

from __future__ import annotations

STEMS = (
    "Quillmark Farrowgate Brindlewick Tarnlow Ashcombe Velderlin Morrowby Kestrelane Hollinbrook Dunmarrow Stavewell "
    "Pellingham Graythorne Wexmoor Larkspan Ottermere Cindervale Fennimark Briarholt Thistledon Marlowick Copperlyn "
    "Ravenbeck Saltmere Ironhurst Willowmarch Drakefell Hartsgrove Juniperly Northwain Eastmarl Westerleigh Sablecroft "
    "Emberwick Flintlow Goldmere Highbarrow Inglenor Kilnshaw Lowmarsh"
).split()

TRADES = (
    "Bearings|Fasteners|Hydraulics|Abrasives|Packaging|Electric Supply|Conveyor|Welding Supply|Safety Products|"
    "Industrial Coatings|Pneumatics|Steel Service|Tool & Die|Janitorial|Freight|Calibration|Plastics|Rubber Products|"
    "Forklift Service|Staffing|Office Supply|Machine Works|Valve & Fitting|Chemical|Signage"
).split("|")

FORMS = ("Inc.", "LLC", "Co.", "Ltd", "Corp.", "Group", "Partners", "& Sons", "Distribution", "Works",
         "International", "Services", "Solutions", "Trading", "Holdings", "Supply", "Brothers", "Industries",
         "Associates", "of Ohio")  # fmt: skip

#: Names that break careless code: quotes, ampersands, letters of other scripts, and text a spreadsheet would run.
AWKWARD_NAMES = (
    "O'Brannagh & Sons Hoist Co.",
    'Smythwick "Quick-Ship" Tooling',
    "Müllhöfer Präzision GmbH",
    "株式会社サンプル工業",
    "Łódzkie Sprężyny Sp. z o.o.",
    '=HYPERLINK("http://pay.example","Pay here")',
    "+1 Tools",
    "@Supply",
    "-40 Degrees Refrigeration",
    "D'Artoisé Pièces & Cie",
    "Ampersand <Industrial> & Daughters",
    "Tarnlow; DROP Forge, Inc.",
)

PLACES = (
    ("Toledo", "OH", "43604"), ("Dayton", "OH", "45402"), ("Erie", "PA", "16501"), ("Fort Wayne", "IN", "46802"),
    ("Rockford", "IL", "61101"), ("Grand Rapids", "MI", "49503"), ("Green Bay", "WI", "54301"),
    ("Peoria", "IL", "61602"), ("Kalamazoo", "MI", "49007"), ("Lima", "OH", "45801"), ("Muncie", "IN", "47305"),
    ("Racine", "WI", "53403"), ("Scranton", "PA", "18503"), ("Duluth", "MN", "55802"), ("Moline", "IL", "61265"),
)  # fmt: skip
CANADIAN_PLACES = (("Windsor", "ON", "N9A 1A1"), ("Hamilton", "ON", "L8P 1A1"), ("Laval", "QC", "H7A 0A1"))
STREETS = ("Foundry Road", "Mill Street", "Commerce Parkway", "Depot Avenue", "Canal Street", "Industrial Boulevard")

PARTS = (
    ("BRG-6204", "Ball bearing 6204 2RS", "EA"), ("HYD-0412", "Hydraulic hose 1/2 in", "FT"),
    ("FST-M10", "Hex bolt M10 x 40, box of 100", "BX"), ("ABR-120", "Sanding belt 120 grit", "EA"),
    ("PKG-24", "Carton 24 x 18 x 12", "EA"), ("VLV-075", "Ball valve 3/4 in brass", "EA"),
    ("WLD-035", "Welding wire .035 spool", "SP"), ("SAF-GLV", "Cut-resistant gloves, pair", "PR"),
    ("CNV-RLR", "Conveyor roller 24 in", "EA"), ("LUB-005", "Synthetic gear oil, 5 gal", "PL"),
)  # fmt: skip

SERVICES = (
    "Monthly forklift maintenance", "Freight in, zone 3", "Calibration of gauges", "Temporary warehouse labor",
    "Office supplies", "Dock door repair", "Waste removal", "Uniform service", "Compressed air audit",
    "Signage and floor marking",
)  # fmt: skip
