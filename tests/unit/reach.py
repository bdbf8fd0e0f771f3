"""Registries for tests: what they have is said, and nothing is asked or pulled."""

from __future__ import annotations

from scripts.build.registries import Registries


class Reach(Registries):
    """Registries that have some images, of which some cannot be pulled after all."""

    def __init__(self, *images: str, refused: str = "", mirrored: bool = False) -> None:
        super().__init__()
        self.images, self.refused = images, refused
        self.__dict__["mirrored"] = mirrored
        self.taken: list[str] = []

    def ask(self, images: object) -> None:
        pass

    def has(self, image: str) -> bool:
        return image in self.images

    def pulled(self, image: str) -> bool:
        if self.has(image) and image != self.refused:
            self.taken.append(image)
            return True
        return False
