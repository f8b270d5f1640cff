"""Pictures of squares and discs with their labels in every form: a table, PNG masks, COCO, YOLO and VOC."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ("square", "disc")


@dataclass
class Drawn:
    """folder: with pictures/, masks/, labels.csv, boxes.json, yolo/ and voc/. boxes: of each picture by its name, as
    (class, left, top, right, bottom). masks: by name, uint8 [H, W]."""

    folder: Path
    boxes: dict[str, list[tuple[int, int, int, int, int]]] = field(default_factory=dict)
    masks: dict[str, np.ndarray] = field(default_factory=dict)
    rows: list[dict[str, object]] = field(default_factory=list)

    @property
    def pictures(self) -> Path:
        return self.folder / "pictures"

    @property
    def names(self) -> list[str]:
        return [*self.boxes]

    def size(self, name: str) -> tuple[int, int]:
        return self.masks[name].shape

    def write_table(self, rows: list[dict[str, object]] | None = None, name: str = "labels.csv") -> Path:
        chosen = self.rows if rows is None else rows
        with (self.folder / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, [*chosen[0]])
            writer.writeheader()
            writer.writerows(chosen)
        return self.folder / name

    def write_masks(self) -> Path:
        (self.folder / "masks").mkdir(exist_ok=True)
        for name, mask in self.masks.items():
            Image.fromarray(mask).save(self.folder / "masks" / f"{Path(name).stem}.png")
        return self.folder / "masks"

    def coco(self) -> dict[str, list[dict[str, object]]]:
        images = [
            {"id": number, "file_name": name, "height": self.size(name)[0], "width": self.size(name)[1]}
            for number, name in enumerate(self.names, 100)
        ]
        boxes = [(number, box) for number, name in enumerate(self.names, 100) for box in self.boxes[name]]
        annotations = [
            {"id": at, "image_id": number, "category_id": 7 + 4 * kind, "bbox": [x1, y1, x2 - x1, y2 - y1]}
            for at, (number, (kind, x1, y1, x2, y2)) in enumerate(boxes)
        ]
        categories = [{"id": 7 + 4 * kind, "name": name} for kind, name in enumerate(NAMES)]
        return {"images": images, "annotations": annotations, "categories": categories}

    def write_coco(self) -> Path:
        (self.folder / "boxes.json").write_text(json.dumps(self.coco()))
        return self.folder / "boxes.json"

    def write_yolo(self) -> Path:
        (self.folder / "yolo").mkdir(exist_ok=True)
        (self.folder / "yolo" / "classes.txt").write_text("\n".join(NAMES) + "\n")
        for name, boxes in self.boxes.items():
            height, width = self.size(name)
            lines = [
                f"{kind} {(x1 + x2) / 2 / width} {(y1 + y2) / 2 / height} {(x2 - x1) / width} {(y2 - y1) / height}\n"
                for kind, x1, y1, x2, y2 in boxes
            ]
            (self.folder / "yolo" / f"{Path(name).stem}.txt").write_text("".join(lines))
        return self.folder / "yolo"

    def write_voc(self) -> Path:
        (self.folder / "voc").mkdir(exist_ok=True)
        for name, boxes in self.boxes.items():
            height, width = self.size(name)
            objects = "".join(
                f"<object><name>{NAMES[kind]}</name><difficult>0</difficult><bndbox><xmin>{x1 + 1}</xmin>"
                f"<ymin>{y1 + 1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
                for kind, x1, y1, x2, y2 in boxes
            )
            text = (
                f"<annotation><filename>{name}</filename><size><width>{width}</width><height>{height}</height>"
                f"<depth>3</depth></size>{objects}</annotation>"
            )
            (self.folder / "voc" / f"{Path(name).stem}.xml").write_text(text)
        return self.folder / "voc"


def draw(folder: Path, count: int = 12, sizes: tuple[tuple[int, int], ...] = ((24, 32), (32, 24))) -> Drawn:
    """Pictures, height and width from `sizes` in turn, with one shape or two each: squares are 1 in masks, discs 2.

    The table says how many there are, whether there is a square and whether there is a disc, what colour the ground
    has, and the share of the picture that is covered.
    """
    random, drawn = np.random.default_rng(0), Drawn(folder)
    (folder / "pictures").mkdir(parents=True)
    for index in range(count):
        height, width = sizes[index % len(sizes)]
        ground = ("dark", "light")[index // 2 % 2]
        pixels = random.integers(0, 40, (height, width, 3)) + (150 if ground == "light" else 20)
        mask = np.zeros((height, width), np.uint8)
        boxes = []
        for kind in ([0], [1], [0, 1])[index % 3]:
            side, left = 8, 2 if kind == 0 else width // 2 + 2
            top = int(random.integers(0, height - side))
            y, x = np.mgrid[:height, :width]
            inside = (x >= left) & (x < left + side) & (y >= top) & (y < top + side)
            if kind:
                inside &= (x - left - 3.5) ** 2 + (y - top - 3.5) ** 2 < 16.5
            pixels[inside] = (230, 30, 30) if kind == 0 else (30, 60, 230)
            mask[inside] = kind + 1
            boxes.append((kind, left, top, left + side, top + side))
        name = f"picture{index:02}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "pictures" / name)
        drawn.boxes[name], drawn.masks[name] = boxes, mask
        kinds = {box[0] for box in boxes}
        drawn.rows.append(
            {
                "file": name,
                "shapes": len(boxes),
                "ground": ground,
                "covered": round(float((mask > 0).mean()), 4),
                "square": int(0 in kinds),
                "disc": int(1 in kinds),
            }
        )
    return drawn
