"""Settings of one kind of source or target each: sections of the configuration that nothing else looks at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from keras_s2s.checks import between, choice, require

RELATIVES = ("none", "difference", "log")
CALENDAR = ("hour", "weekday", "year")
SERIES_LOSSES = ("mse", "huber", "quantiles")
BACKBONES = tuple(f"{family}{size}" for family, sizes in (
    ("ConvNeXt", ("Tiny", "Small", "Base", "Large", "XLarge")), ("DenseNet", (121, 169, 201)), ("EfficientNetB", range(8)),
    ("EfficientNetV2", ("B0", "B1", "B2", "B3", "S", "M", "L")), ("Inception", ("V3", "ResNetV2")),
    ("MobileNet", ("", "V2", "V3Small", "V3Large")), ("NASNet", ("Mobile", "Large")),
    ("ResNet", (50, 101, 152, "50V2", "101V2", "152V2")), ("VGG", (16, 19)), ("Xception", ("",))) for size in sizes)
FITS = ("letterbox", "crop", "stretch")


@dataclass(frozen=True)
class Series:
    """How series are read and forecast; nothing else looks at it."""

    time: str = ""  # the column of the times; empty: the first
    columns: tuple[str, ...] = ()  # that are read; empty: all but the times
    targets: tuple[str, ...] = ()  # that are forecast, some of those; empty: all of them
    window: int = 96  # steps read
    horizon: int = 24  # steps forecast
    stride: int = 1  # steps between training windows; far apart they overlap less, and an epoch is shorter
    split: tuple[float, ...] = (0.7, 0.1, 0.2)  # train, dev, test, in the order of time: shares, or numbers of steps
    regular: bool = True  # the times lie on a grid, so that a missing one is a gap; false: each row is a step
    fill: int = 3  # missing values in a row that the last one known stands in for; windows with more are left out
    season: int = 0  # steps of the seasonal-naive forecast; 0: a day of hours, a week of days, a year of months ...
    relative: str = "none"  # what is learnt: none: values; difference: to the last one known; log: log-returns from it
    calendar: tuple[str, ...] = ()  # of each step, as sine and cosine: hour (of the day), weekday, year (day of the)
    loss: str = "huber"  # mse, huber, quantiles
    quantiles: tuple[float, ...] = (0.1, 0.5, 0.9)  # of the loss quantiles; 0.5 is the line, the others are its band
    feedback: bool = True  # each step is given the one before it; false: only the calendar and the last value known

    def __post_init__(self) -> None:
        choice("series", "relative", self.relative, RELATIVES)
        choice("series", "loss", self.loss, SERIES_LOSSES)
        for name in self.calendar:
            choice("series", "calendar", name, CALENDAR)
        require(self.regular or not self.calendar, "`series.calendar` needs `series.regular`: of rows that each are a step the "
                "times ahead are not known. Leave it empty: --set series.calendar=")
        for name, low in (("window", 2), ("horizon", 1), ("stride", 1), ("fill", 0), ("season", 0)):
            between("series", name, getattr(self, name), low)
        require(self.season <= self.window, f"`series.season` must be at most `series.window` {self.window}, so that a window "
                f"holds one; got {self.season}. Read more steps: --set series.window={self.season}.")
        shares = max(self.split, default=0) <= 1
        require(len(self.split) == 3 and min(self.split) > 0 and (not shares or sum(self.split) < 1.0001),
                "`series.split` must be three shares of the steps that are together at most 1, such as 0.7,0.1,0.2, or three "
                f"numbers of steps; got {','.join(f'{part:g}' for part in self.split)}.")
        rising = list(self.quantiles) == sorted(set(self.quantiles)) and 0.5 in self.quantiles
        require(rising and 0 < self.quantiles[0] and self.quantiles[-1] < 1, "`series.quantiles` must rise between 0 and 1 and "
                f"hold 0.5, such as 0.1,0.5,0.9; got {','.join(f'{part:g}' for part in self.quantiles)}.")


@dataclass(frozen=True)
class Image:
    """How pictures are seen."""

    size: int = 64  # pixels of each side that a picture is brought to
    fit: str = "letterbox"  # how one becomes a square: letterbox (grey bars), crop (its middle), stretch
    backbone: str = ""  # a frozen network of keras.applications, such as MobileNetV2; empty: a small one that is trained here
    weights: str = ""  # the file of its weights, without its top (.keras, .weights.h5, .h5); nothing is downloaded
    filters: tuple[int, ...] = (32, 64, 128)  # of each convolution; each halves the sides, what is left are the regions
    shift: int = 4  # pixels that a picture is moved by in training at most; not with a backbone, whose features are made once
    jitter: float = 0.2  # that lightness and contrast are changed by in training at most, of 1

    def require_weights(self) -> None:
        """Raises ValueError where the file of a frozen network's weights is not there."""
        require(not self.weights or Path(self.weights).expanduser().is_file(), "`image.weights` must be a file of weights of "
                f"{self.backbone}; there is no {self.weights!r}. Nothing is downloaded: bring one.")

    def __post_init__(self) -> None:
        choice("image", "fit", self.fit, FITS)
        if self.backbone:
            choice("image", "backbone", self.backbone, BACKBONES)
        require(bool(self.backbone) == bool(self.weights), "`image.backbone` and `image.weights` go together: a network's "
                f"name, and the file of its weights; got {self.backbone!r} and {self.weights!r}.")
        between("image", "size", self.size, 8, 1024)
        between("image", "shift", self.shift, 0, self.size // 2)
        between("image", "jitter", self.jitter, 0, 1)
        require(bool(self.filters) and min(self.filters, default=0) >= 1, "`image.filters` must be a number of filters for "
                f"each convolution, such as 32,64,128; got {','.join(map(str, self.filters))!r}.")
        require(2 ** len(self.filters) <= self.size, f"`image.filters` halve the sides {len(self.filters)} times, which takes "
                f"`image.size` of at least {2 ** len(self.filters)}; got {self.size}.")


@dataclass(frozen=True)
class Audio:
    """How recordings are heard; nothing else looks at it."""

    sample_rate: int = 16000  # samples a second that the model hears; recordings of other rates are resampled
    max_seconds: float = 30.0  # a longer recording is rejected
    window: float = 0.025  # seconds of a frame
    hop: float = 0.010  # seconds from one frame to the next
    mels: int = 40  # bands of the spectrum, as wide as the ear's
    strides: tuple[int, ...] = (2, 2)  # of the convolutions before the encoder, one each: steps it has fewer of
    kernel: int = 5  # frames that a convolution sees
    # While training each recording is changed a little; 0: not so.
    speed: float = 0.1  # spoken faster or slower, and higher or lower, by this share at most
    gain: float = 6.0  # louder or softer by so many decibels at most
    shift: float = 0.05  # begun so many seconds later at most
    noise: float = 0.1  # white noise of this share of the recording's loudness at most
    time_masks: int = 1  # stretches left out (Park et al., 2019), each of
    time_mask: float = 0.1  # seconds at most, and at most a fifth of the recording
    frequency_masks: int = 1  # ranges of bands left out, each of
    frequency_mask: int = 6  # bands at most

    def __post_init__(self) -> None:
        for name, low, high in (("sample_rate", 4000, 48000), ("max_seconds", 0.1, 600), ("window", 0.002, 0.2),
                                ("hop", 0.001, 0.2), ("mels", 4, 256), ("kernel", 1, 31), ("speed", 0, 0.5), ("gain", 0, 40),
                                ("shift", 0, 10), ("noise", 0, 10), ("time_masks", 0, 20), ("time_mask", 0, 10),
                                ("frequency_masks", 0, 20), ("frequency_mask", 0, 256)):
            between("audio", name, getattr(self, name), low, high)
        require(self.hop <= self.window, f"`audio.hop` must be at most `audio.window` {self.window:g}, so that every sample is "
                f"heard; got {self.hop:g}.")
        require(len(self.strides) > 0 and min(self.strides) >= 1 and max(self.strides) <= self.kernel,
                f"`audio.strides` must name at least one stride between 1 and `audio.kernel` {self.kernel}, such as 2,2; "
                f"got {','.join(map(str, self.strides))}.")
        require(self.frequency_mask < self.mels, f"`audio.frequency_mask` must be below `audio.mels` {self.mels}; got "
                f"{self.frequency_mask}.")
