"""Every figure of a run is named, worded and formatted once."""

import pytest

from jointlaw.evaluation import FIGURES
from jointlaw.evaluation._figures import figure_of


def test_shares_are_percent_and_other_figures_keep_their_unit() -> None:
    assert FIGURES["probe.backbone.accuracy"].text(0.8934, 0.0041) == "89.3 ± 0.4 %"
    assert FIGURES["density.nll"].text(-3.2) == "-3.200 nats"
    assert FIGURES["rankme.backbone"].text(30.24) == "30.2"
    assert FIGURES["knn.accuracy"].text(None) == "not measured"


@pytest.mark.parametrize("key", FIGURES)
def test_every_figure_has_a_name_a_form_and_a_sentence(key: str) -> None:
    figure = FIGURES[key]
    assert figure.name
    assert figure.meaning.endswith(".")
    assert figure.number(0.5)


def test_names_are_told_apart_within_a_group() -> None:
    groups = {(key.partition(".")[0], figure.name) for key, figure in FIGURES.items()}
    assert len(groups) == len(FIGURES)


def test_any_number_of_labels_has_its_words() -> None:
    assert figure_of("few_shot.1").name.endswith("1 label per class")
    assert figure_of("few_shot.25").name.endswith("25 labels per class")


def test_an_unknown_figure_is_called_by_its_key() -> None:
    assert figure_of("of.a.later.version").text(1 / 3) == "0.333333"
