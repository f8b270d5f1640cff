"""What is where in a scene: drawn from one random stream, before anything is painted."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from mtlrun.data.drawn.road.camera import Camera
from mtlrun.data.drawn.road.cars import Car, random_car, room_for
from mtlrun.data.drawn.road.pen import RGB
from mtlrun.data.drawn.road.people import random_cyclist, random_pedestrian
from mtlrun.data.drawn.road.road import Road, random_road
from mtlrun.data.drawn.road.roadside import random_light, random_sign
from mtlrun.data.drawn.road.scenery import StreetLamp, random_building, random_post, random_tree
from mtlrun.data.drawn.road.signs import SIGNS
from mtlrun.data.drawn.road.thing import Thing
from mtlrun.data.drawn.road.weather import Weather, random_weather

TERRAINS: list[RGB] = [
    (92, 116, 62),
    (112, 122, 74),
    (150, 138, 96),
    (172, 158, 120),
    (204, 208, 212),
    (84, 100, 66),
]
TOWN_GROUND: list[RGB] = [(128, 124, 118), (108, 110, 104), (98, 112, 80)]


@dataclass(frozen=True)
class Scene:
    """Everything that there is to paint; `things` come from far to near."""

    camera: Camera
    weather: Weather
    road: Road
    ground: RGB
    hills: tuple[float, ...]
    things: tuple[Thing, ...]


def compose(rng: Random, height: int, width: int) -> Scene:
    """A random scene for a picture of height x width pixels."""
    weather = random_weather(rng)
    town = rng.random() < 0.6
    junction = rng.uniform(8.0, 25.0) if rng.random() < (0.75 if town else 0.45) else None
    zebra = rng.random() < 0.5
    road = random_road(rng, town, junction, zebra)
    camera = _camera(rng, road, height, width)
    cars = _cars(rng, road, weather.lamps_on, town)
    things: list[Thing] = [*cars, *_people(rng, road, town, junction), *_cyclists(rng, road, cars)]
    things += _signals(rng, road, junction) + _surroundings(rng, road, town, weather)
    ground = rng.choice(TOWN_GROUND if town else TERRAINS)
    steep = rng.uniform(0.0, 0.12)
    hills = tuple(rng.uniform(0.0, steep) for _ in range(9))
    return Scene(camera, weather, road, ground, hills, tuple(sorted(things, key=lambda thing: -thing.depth)))


def _camera(rng: Random, road: Road, height: int, width: int) -> Camera:
    """In the middle of a lane of the own direction, give or take."""
    first = road.lanes // 2 if road.two_way else 0
    lane = rng.randrange(first, road.lanes)
    own = -road.lanes * road.lane_width / 2 + (lane + 0.5) * road.lane_width
    return Camera(
        focal=width * rng.uniform(0.78, 0.98),
        horizon=height * rng.uniform(0.3, 0.48),
        centre=width * rng.uniform(0.47, 0.53),
        height=rng.uniform(1.25, 1.9),
        offset=-own + rng.uniform(-0.4, 0.4),
        heading=rng.uniform(-0.06, 0.06),
        curvature=rng.gauss(0.0, 0.0018),
    )


def _cars(rng: Random, road: Road, lit: bool, town: bool) -> list[Car]:
    """Up to four cars in the lanes or parked at the right; a third of the scenes have none."""
    count = rng.choices([0, 1, 2, 3, 4], [36, 24, 20, 12, 8])[0]
    cars: list[Car] = []
    for _ in range(count):
        car = _car(rng, road, lit, town)
        if all(room_for(car, other) for other in cars):
            cars.append(car)
    return cars


def _car(rng: Random, road: Road, lit: bool, town: bool) -> Car:
    ahead = rng.uniform(6.0, 20.0) if rng.random() < 0.6 else rng.uniform(20.0, 42.0)
    if town and rng.random() < 0.25:
        return random_car(rng, road.right + rng.uniform(0.4, 1.2), ahead, False, False)
    lane = rng.randrange(road.lanes)
    side = -road.lanes * road.lane_width / 2 + (lane + 0.5) * road.lane_width + rng.uniform(-0.35, 0.35)
    oncoming = road.two_way and lane < road.lanes // 2
    return random_car(rng, side, ahead, oncoming, lit or rng.random() < 0.2)


def _people(rng: Random, road: Road, town: bool, junction: float | None) -> list[Thing]:
    """Pedestrians at the roadside, rarely alone, and some who cross the road."""
    count = rng.choices([0, 1, 2, 3, 4], [36, 14, 20, 18, 12] if town else [58, 14, 14, 8, 6])[0]
    people: list[Thing] = []
    for _ in range(count):
        ahead = rng.uniform(5.0, 9.0) if rng.random() < 0.8 else rng.uniform(9.0, 16.0)
        if rng.random() < 0.3:
            ahead = ahead if junction is None else min(junction, 11.0) + rng.uniform(0.0, 3.0)
            people.append(random_pedestrian(rng, rng.uniform(road.left, road.right), ahead))
            continue
        people.append(random_pedestrian(rng, _beside(rng, road, 0.5, 2.6), ahead))
    return people


def _cyclists(rng: Random, road: Road, cars: list[Car]) -> list[Thing]:
    """Up to two cyclists near the right edge, not inside a car."""
    places = [
        (road.right - rng.uniform(0.1, 1.2), rng.uniform(6.0, 22.0))
        for _ in range(rng.choices([0, 1, 2], [7, 2, 1])[0])
    ]
    return [
        random_cyclist(rng, side, ahead)
        for side, ahead in places
        if not any(abs(car.side - side) < 1.4 and car.ahead - 1 < ahead < car.ahead + 6 for car in cars)
    ]


def _signals(rng: Random, road: Road, junction: float | None) -> list[Thing]:
    """Traffic lights or a stop sign at a junction, other signs anywhere."""
    things: list[Thing] = []
    if junction is not None and rng.random() < 0.8:
        count = rng.choice([1, 1, 2])
        things += [random_light(rng, road.right, junction + rng.uniform(1.0, 6.0)) for _ in range(count)]
    if rng.random() < (0.7 if junction is not None else 0.35):
        side, ahead = _beside(rng, road, 0.4, 1.4), rng.uniform(5.5, 14.5)
        things.append(random_sign(rng, "stop", side, ahead))
    others = [kind for kind in SIGNS if kind != "stop"]
    for _ in range(rng.choices([0, 1, 2], [4, 4, 2])[0]):
        things.append(random_sign(rng, rng.choice(others), _beside(rng, road, 0.4, 1.6), rng.uniform(6.0, 28.0)))
    return things


def _surroundings(rng: Random, road: Road, town: bool, weather: Weather) -> list[Thing]:
    """Buildings, trees, lamps and posts that nobody is asked about."""
    things: list[Thing] = []
    lit = 0.35 if weather.lamps_on else 0.0
    for way in (-1, 1) if town else ():
        ahead = rng.uniform(7.0, 20.0)
        while ahead < 75 and rng.random() < 0.85:
            side = way * (road.right + rng.uniform(4.5, 7.0))
            block = random_building(rng, side, ahead, lit)
            things.append(block)
            ahead += block.length + rng.uniform(0.5, 8.0)
    for _ in range(rng.randint(1, 4) if town else rng.randint(3, 10)):
        reach = 3.6 if town else 16.0
        things.append(random_tree(rng, _beside(rng, road, 2.2, reach), rng.uniform(9.0, 70.0)))
    for number in range(rng.randint(0, 4) if town else 0):
        things.append(StreetLamp(side=road.right + 0.9, ahead=9.0 + 16.0 * number, lit=weather.lamps_on))
    for _ in range(rng.randint(0, 2)):
        things.append(random_post(rng, _beside(rng, road, 0.5, 2.5), rng.uniform(6.0, 25.0)))
    return things


def _beside(rng: Random, road: Road, nearest: float, farthest: float) -> float:
    """A side beyond either edge of the road, more often the right one."""
    distance = rng.uniform(nearest, farthest)
    return road.right + distance if rng.random() < 0.65 else road.left - distance
