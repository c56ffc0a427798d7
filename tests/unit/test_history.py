"""A study's state is a fold over its journal."""

from __future__ import annotations

import pytest

from harness.records import Budget, Finding
from harness.results.compare import holm
from harness.state.verdicts import in_one_word, judge

from .conftest import BASELINE, Story

LINT = Finding(check="lint", message="F821 Undefined name", file="experiment.py", line=3)
BETTER, SLIGHTLY, EQUAL = (0.1, 0.2, 0.15), (0.6, 0.7, 0.65), (1.0, 1.12, 0.88)
HIGHER = (1.4, 1.3, 1.35)
PROMISING = "promising, unconfirmed"


def candidate(s: Story) -> int | None:
    """The number of the run to confirm next."""
    run = s.history.candidate
    return run.number if run else None


def test_a_new_study_holds_its_template(story: type[Story]) -> None:
    history = story().history
    assert (history.status, history.commit, history.tree) == ("running", "c0", "t0")
    assert history.digests == {"d0": "the baseline"}


def test_a_failed_attempt_is_recorded_and_the_next_is_of_the_same_run(story: type[Story]) -> None:
    s = story().failed_run()
    assert s.history.next_attempt() == (1, 2)
    assert s.history.spent_runs == 0
    assert s.run(BETTER).history.next_attempt() == (2, 1)
    assert s.history.spent_runs == 1


def test_a_run_is_given_up_after_its_attempts_and_the_next_begins(story: type[Story]) -> None:
    s = story(budget=Budget(attempts=2)).failed_run().failed_run()
    assert s.history.runs[1].outcome == "given up"
    assert s.history.spent_runs == 1
    assert s.history.next_attempt() == (2, 1)
    assert s.history.measured == []


def test_a_lost_attempt_is_launched_again_without_asking_anybody(story: type[Story]) -> None:
    s = story().turn().checked().launched().ended("lost", message="runner died")
    assert s.history.launched is None
    assert s.history.next_attempt() == (1, 2)
    assert "d1" not in s.history.digests


def test_executed_code_is_known_by_its_digest(story: type[Story]) -> None:
    history = story().run(BETTER).failed_run().history
    assert history.digests == {"d0": "the baseline", "d1": "run 1", "d2": "run 2"}


def test_turns_without_a_launch_are_counted_until_one_launches(story: type[Story]) -> None:
    s = story().turn("rejected").turn("nothing").turn().checked(LINT).recorded("lint")
    assert s.history.wasted == 3
    assert s.turn("done").history.wasted == 3
    assert s.turn().checked().launched().history.wasted == 0


def test_the_news_holds_what_happened_since_the_agent_was_asked(story: type[Story]) -> None:
    s = story().run(BETTER)
    assert [e.kind for e in s.history.news] == ["turn_ended", "edit_checked", "attempt_ended", "recorded"]
    assert [e.kind for e in s.turn("nothing").history.news] == ["turn_ended"]


def test_calls_of_a_turn_that_was_cut_short_are_made_again_but_paid_for(story: type[Story]) -> None:
    s = story().turn("nothing").asked().called(dollars=0.5, tokens=10).stopped().resumed(5.0)
    assert s.history.unfinished is not None
    s.asked().called(dollars=0.5, tokens=10)
    assert s.history.calls == 2
    assert s.history.usage.calls == 3
    assert s.history.usage.dollars == 1.0
    assert s.history.usage.tokens == 20


def test_a_resumed_study_is_running_again_where_it_stood(story: type[Story]) -> None:
    s = story().turn().checked().launched().stopped("interrupted")
    assert s.history.status == "interrupted"
    s.resumed(10.0)
    assert s.history.status == "running"
    assert s.history.launched is not None


def test_pauses_do_not_count_as_time_worked(story: type[Story]) -> None:
    s = story().turn("nothing").stopped()
    worked = s.history.seconds
    assert worked == pytest.approx(4.0)
    assert s.resumed(pause=1_000_000.0).history.seconds == worked
    assert s.turn("nothing").history.seconds == pytest.approx(worked + 3.0)


def test_a_clock_that_is_set_back_takes_no_time_away(story: type[Story]) -> None:
    s = story().turn("nothing")
    before = s.history.seconds
    s.at -= 500.0
    assert s.turn("nothing").history.seconds >= before


def test_verdicts_are_corrected_over_all_runs_of_the_study(story: type[Story]) -> None:
    s = story().run(BETTER).run(SLIGHTLY).run(EQUAL)
    history = s.history
    plain = [p for run in history.measured if (p := run.comparisons[0].p) is not None]
    corrected = [judge(history)[n]["toy"][1] for n in (1, 2, 3)]
    assert corrected == pytest.approx(holm(plain))
    assert [in_one_word(history)[n] for n in (1, 2, 3)] == [PROMISING, PROMISING, "inconclusive"]


def test_a_loss_that_would_be_worse_alone_is_not_after_enough_tries(story: type[Story]) -> None:
    alone = story().run(HIGHER)
    assert in_one_word(alone.history)[1] == "worse"
    for _ in range(6):
        alone.run(EQUAL)
    assert in_one_word(alone.history)[1] == "inconclusive"


def test_the_seeds_of_the_study_alone_never_make_a_run_better(story: type[Story]) -> None:
    assert in_one_word(story().run((0.0, 0.0001, 0.0002)).history)[1] == PROMISING


@pytest.mark.parametrize(("loss", "word"), [(BETTER * 2, "better"), (EQUAL * 2, "not confirmed"), ((), PROMISING)])
def test_fresh_seeds_decide(story: type[Story], loss: tuple[float, ...], word: str) -> None:
    s = story().run(BETTER).confirmed(1, loss)
    assert in_one_word(s.history)[1] == word
    assert s.history.candidate is None


def test_confirmations_are_corrected_over_all_of_them(story: type[Story]) -> None:
    s = story().run(BETTER).run(SLIGHTLY).confirmed(1, SLIGHTLY)
    alone = judge(s.history)[1]["toy"][1]
    assert alone is not None
    s.confirmed(2, EQUAL)
    assert judge(s.history)[1]["toy"][1] == pytest.approx(2 * alone)
    assert in_one_word(s.history)[2] == "not confirmed"


def test_the_best_run_that_looks_better_is_confirmed_first(story: type[Story]) -> None:
    s = story().run(SLIGHTLY).run(EQUAL).run(BETTER)
    assert candidate(s) == 3
    assert candidate(s.confirmed(3, EQUAL)) == 1
    assert candidate(story().run(EQUAL).run(HIGHER)) is None


def test_fresh_seeds_are_seeds_that_nothing_ran_with(story: type[Story]) -> None:
    s = story(seeds=(0, 1, 7)).run(BETTER)
    assert s.history.fresh_seeds(2) == (8, 9)
    s.turn("replicate", replicate_of=1).checked().launched(seeds=(8, 9, 10)).ended(loss=BETTER).recorded()
    assert s.history.fresh_seeds(3) == (11, 12, 13)


def test_a_replicate_adds_its_values_to_those_of_its_run(story: type[Story]) -> None:
    s = story().run(SLIGHTLY)
    pooled = (s.comparison("loss", SLIGHTLY * 2),)
    s.turn("replicate", replicate_of=1).checked().launched(seeds=(3, 4, 5)).ended(loss=SLIGHTLY).recorded(pooled=pooled)
    assert s.history.runs[1].comparisons[0].n == 6
    assert s.history.runs[2].comparisons[0].n == 3


def test_a_replicate_is_never_an_improvement_and_costs_no_correction(story: type[Story]) -> None:
    s = story().run(BETTER)
    alone = judge(s.history)[1]["toy"]
    s.run(BETTER, status="replicate", replicate_of=1)
    assert judge(s.history)[1]["toy"] == alone
    assert in_one_word(s.history)[2] == "replicate"
    assert s.history.spent_runs == 2


def test_a_run_without_a_result_has_no_verdict(story: type[Story]) -> None:
    history = story().failed_run().history
    assert 1 not in in_one_word(history)
    assert history.runs[1].outcome == "crashed"


def test_datasets_that_disagree_make_a_mixed_verdict(story: type[Story]) -> None:
    s = story().turn().checked().launched().ended(loss=BETTER)
    good = s.comparison("loss", BETTER)
    bad = s.comparison("loss", (5.0, 5.1, 5.2)).model_copy(update={"dataset": "other"})
    s.recorded(comparisons=(good, bad))
    assert in_one_word(s.history)[1] == "mixed"


def test_a_dataset_that_the_change_does_not_reach_is_unchanged_and_not_corrected_for(story: type[Story]) -> None:
    s = story().turn().checked().launched().ended(loss=BETTER)
    good = s.comparison("loss", BETTER)
    same = s.comparison("loss", BASELINE["toy"]["loss"])
    s.recorded(comparisons=(good, *(same.model_copy(update={"dataset": f"other {n}"}) for n in range(9))))
    verdicts = judge(s.history)[1]
    assert verdicts["toy"][1] == good.p, "one comparison was tried, not ten"
    assert {word for dataset, (word, _) in verdicts.items() if dataset != "toy"} == {"unchanged"}
    assert in_one_word(s.history)[1] == verdicts["toy"][0], "not mixed"


def test_the_candidate_is_chosen_by_what_looks_better_and_not_by_noise_elsewhere(story: type[Story]) -> None:
    s = story()
    for loss, elsewhere in ((BETTER, (2.0, 0.5, 1.4)), (SLIGHTLY, (0.1, 1.9, 0.2))):
        s.turn().checked().launched().ended(loss=loss)
        noise = s.comparison("loss", elsewhere).model_copy(update={"dataset": "other"})
        s.recorded(comparisons=(s.comparison("loss", loss), noise))
    assert all(run.promising_on == {"toy"} for run in s.history.measured)
    assert candidate(s) == 1


def test_after_a_confirmation_by_hand_the_last_event_that_counts_is_still_the_run(story: type[Story]) -> None:
    s = story().run(BETTER).stopped().resumed(1.0)
    assert s.history.just_measured
    assert s.confirmed(1, BETTER).history.just_measured
    assert not s.turn("nothing").history.just_measured


def test_how_a_study_stopped_is_forgotten_once_it_goes_on_with_more_than_a_confirmation(story: type[Story]) -> None:
    s = story().run(BETTER).stopped(reason="first").resumed(1.0)
    assert s.history.stopped_before is not None
    s.to_confirm(by_hand=True).stopped(reason="within it").resumed(1.0)
    assert s.history.stopped_before and s.history.stopped_before.reason == "first"
    assert s.turn("nothing").history.stopped_before is None
    assert s.resumed(1.0).history.stopped_before is None, "it was killed"


def test_even_a_gain_that_is_hardly_one_is_confirmed_if_there_is_no_better_run(story: type[Story]) -> None:
    hardly = story().run((0.99, 1.09, 0.91))
    assert (hardly.history.measured[0].primary[0].p or 0) > 0.8
    assert candidate(hardly) == 1
    assert candidate(hardly.run((0.9, 1.0, 0.95))) == 2
