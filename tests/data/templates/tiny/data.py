"""The target and the noise. Protected."""

import random

TARGET = 3.0


def noise(seed: int) -> float:
    return random.Random(seed).gauss(0.0, 1.0)


def loss_of(guess: float) -> float:
    return (guess - TARGET) ** 2


def accuracy_of(guess: float) -> float:
    return 1.0 / (1.0 + abs(guess - TARGET))
