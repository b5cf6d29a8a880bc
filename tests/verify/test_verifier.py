from __future__ import annotations

from dataclasses import replace

import pytest

from klint.rules.claims import Divisor, Effect
from klint.torch_model.count import Count, Size
from klint.torch_model.facts import Space
from klint.verify import Verdict, VerifyError, VerifyOptions, VerifyReport, verify_diagnoses


class TestTheForumThread:
    def test_it_is_replayed_with_its_own_numbers(self, verify, forum_thread):
        result = verify(forum_thread)
        (run,) = result.runs
        assert result.verdict is Verdict.CONFIRMED
        assert run.dtype == "float32"
        assert run.as_written == pytest.approx(0.017904, abs=1e-6)
        assert run.expected == pytest.approx(0.071616, abs=1e-6)
        assert run.fixed == pytest.approx(run.expected, abs=1e-7)
        assert run.counterpart == pytest.approx(run.fixed, abs=1e-6)
        assert run.ratio == pytest.approx(1 / 4, abs=1e-6)
        assert run.grad_ratio == pytest.approx(1 / 4, abs=1e-5)
        assert run.sizes == {"input": [4], "target": [1, 4], "classes": 4}
        assert result.assumptions == ()

    def test_other_sizes_and_dtypes_do_not_change_it(self, verify, forum_thread):
        result = verify(forum_thread, classes=(3, 50), dtypes=("float64", "bfloat16"))
        assert [run.dtype for run in result.runs] == ["float32"]


@pytest.fixture
def free(graph):
    """Operands of free scores: log-probabilities, probabilities."""
    return graph.log_softmax(graph.parameter("x")), graph.softmax(graph.parameter("y"))


class TestEffects:
    def mean(self, graph, free, **more):
        log_p, q = free
        fixed = graph.kl(log_p, q, "batchmean")
        return graph.claim(graph.kl(log_p, q, "mean"), fixed, Divisor.ROWS, Effect.RATIO, **more)

    def classes(self, free):
        return Count.of(Size(free[0].identity, -1, "C"))

    def test_a_ratio_of_sizes(self, graph, verify, free):
        result = verify(self.mean(graph, free, ratio=Count.number(1) / self.classes(free)), classes=(10, 100))
        assert result.verdict is Verdict.CONFIRMED
        assert [run.ratio for run in result.runs] == [pytest.approx(1 / 10), pytest.approx(1 / 100)]

    def test_a_wrong_ratio(self, graph, verify, free):
        result = verify(self.mean(graph, free, ratio=self.classes(free)))
        assert result.verdict is Verdict.REFUTED
        assert result.reason == "as written it is 1/10 of the expected value, not 10 times it as claimed"

    def test_a_ratio_that_is_not_claimed_is_measured_twice(self, graph, verify, free):
        result = verify(self.mean(graph, free))
        assert result.verdict is Verdict.CONFIRMED
        assert len(result.runs) == 2
        assert result.runs[0].as_written != result.runs[1].as_written

    def test_another_number(self, graph, verify):
        p, q = graph.softmax(graph.parameter("x")), graph.softmax(graph.parameter("y"))
        fixed = graph.kl(graph.log_softmax(p.arguments["input"]), q, "batchmean")
        claim = graph.claim(
            graph.kl(p, q, "batchmean"), fixed, Divisor.ROWS, spaces=(Space.PROBABILITIES, Space.PROBABILITIES)
        )
        result = verify(claim)
        assert result.verdict is Verdict.CONFIRMED
        assert result.runs[0].as_written < 0 < result.runs[0].expected

    def test_nan(self, graph, verify, free):
        log_p, q = free[0], graph.log_softmax(graph.parameter("y"))
        fixed = graph.kl(log_p, q, "batchmean", log_target=True)
        spaces = (Space.LOG_PROBABILITIES, Space.LOG_PROBABILITIES)
        claim = graph.claim(graph.kl(log_p, q, "batchmean"), fixed, Divisor.ROWS, Effect.NAN, spaces)
        assert verify(claim).verdict is Verdict.CONFIRMED

    @pytest.mark.parametrize("eps", [None, 1e-8], ids=["bare", "with an epsilon"])
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_underflow(self, graph, verify, free, eps, dtype):
        x, q = graph.parameter("x"), free[1]
        p = graph.softmax(x)
        p = p if eps is None else graph.call("add", input=p, other=eps)
        as_written = graph.kl(graph.call("log", input=p), q, "batchmean")
        fixed = graph.kl(graph.log_softmax(x), q, "batchmean")
        result = verify(graph.claim(as_written, fixed, Divisor.ROWS, Effect.UNDERFLOW), dtypes=(dtype,))
        assert result.verdict is Verdict.CONFIRMED
        assert result.runs[1].sizes["score_gap"] >= 200

    def test_underflow_of_literal_scores(self, graph, verify):
        x, q = graph.tensor([[1.0, 2.0, 3.0]]), graph.tensor([[0.2, 0.2, 0.6]])
        as_written = graph.kl(graph.call("log", input=graph.softmax(x)), q, "batchmean")
        fixed = graph.kl(graph.log_softmax(x), q, "batchmean")
        assert verify(graph.claim(as_written, fixed, Divisor.ROWS, Effect.UNDERFLOW)).verdict is Verdict.CONFIRMED

    @pytest.mark.parametrize("effect", Effect)
    def test_right_code_is_never_confirmed(self, graph, verify, free, effect):
        x = free[0].arguments["input"]
        p = graph.call("log", input=graph.softmax(x)) if effect is Effect.UNDERFLOW else free[0]
        right = graph.kl(p, free[1], "batchmean")
        claim = graph.claim(right, right, Divisor.ROWS, effect)
        assert verify(claim).verdict is not Verdict.CONFIRMED

    def test_an_unreduced_loss_is_summed(self, graph, verify, free):
        log_p, q = free
        mean = graph.call("mean", input=graph.call("sum", input=graph.kl(log_p, q, "none"), dim=-1))
        claim = graph.claim(graph.kl(log_p, q, "none"), mean, Divisor.ROWS, Effect.RATIO)
        result = verify(claim)
        assert result.verdict is Verdict.CONFIRMED
        assert result.runs[0].ratio == pytest.approx(7)


class TestSearch:
    def test_code_that_means_rank_3_gets_it(self, graph, verify):
        log_p = graph.log_softmax(graph.call("permute", input=graph.parameter("x"), dims=(0, 2, 1)))
        q = graph.softmax(graph.call("permute", input=graph.parameter("y"), dims=(0, 2, 1)))
        claim = graph.claim(graph.kl(log_p, q, "mean"), graph.kl(log_p, q, "sum"), effect=Effect.RATIO)
        result = verify(claim)
        assert result.verdict is Verdict.CONFIRMED
        assert len(result.runs[0].sizes["input"]) == 3

    def test_a_matrix_of_weights_fits_its_operand(self, graph, verify):
        scores = graph.call("matmul", input=graph.parameter("h"), other=graph.parameter("W"))
        kl = graph.kl(graph.log_softmax(scores), graph.softmax(graph.parameter("y")), "mean")
        fixed = graph.kl(kl.arguments["input"], kl.arguments["target"], "batchmean")
        result = verify(graph.claim(kl, fixed, Divisor.ROWS, Effect.RATIO))
        assert "W is a (10, 10) normal draw" in result.assumptions
        assert result.verdict is Verdict.CONFIRMED

    def test_a_site_that_never_runs_says_how_it_fails(self, graph, verify, free):
        kl = graph.kl(graph.call("softmax", input=graph.parameter("x"), dim=9), free[1], "sum")
        result = verify(graph.claim(kl, kl))
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason.startswith("softmax raises IndexError: Dimension out of range")


class TestHostileSites:
    def test_each_costs_itself_alone(self, graph, sandbox, free, forum_thread):
        huge = graph.log_softmax(graph.call("zeros", size=(10**12,)))
        endless = graph.log_softmax(graph.tensor(graph.call("pow", input=10, other=10**9)))
        unknown = graph.log_softmax(graph.call("system", input="rm -rf /"))
        claims = [
            graph.claim(graph.kl(huge, free[1], "sum"), graph.kl(huge, free[1], "sum")),
            graph.claim(graph.kl(endless, free[1], "sum"), graph.kl(endless, free[1], "sum")),
            graph.claim(graph.kl(unknown, free[1], "sum"), graph.kl(unknown, free[1], "sum")),
            forum_thread,
        ]
        options = VerifyOptions(device="cpu", timeout=5)
        report = verify_diagnoses([graph.diagnosis(claim) for claim in claims], options, sandbox)
        memory, time, impure, fine = report.results
        assert (memory.verdict, "memory" in memory.reason) == (Verdict.INCONCLUSIVE, True)
        assert (time.verdict, time.reason[:16]) == (Verdict.INCONCLUSIVE, "it took longer t")
        assert (impure.verdict, impure.reason) == (
            Verdict.INCONCLUSIVE,
            "system is not an operation that klint replays",
        )
        assert fine.verdict is Verdict.CONFIRMED

    def test_a_long_chain_is_replayed(self, graph, verify, free):
        x = free[0].arguments["input"]
        for _ in range(4_000):
            x = graph.call("neg", input=x)
        log_p = graph.log_softmax(x)
        kl = graph.kl(log_p, free[1], "mean")
        claim = graph.claim(kl, graph.kl(log_p, free[1], "batchmean"), Divisor.ROWS, Effect.RATIO)
        assert verify(claim).verdict is Verdict.CONFIRMED


class TestNothingToReplay:
    def test_a_finding_without_a_claim_is_told(self, graph, sandbox, forum_thread):
        silent = replace(graph.diagnosis(forum_thread), claim=None)
        report = verify_diagnoses([silent, graph.diagnosis(forum_thread)], VerifyOptions(device="cpu"), sandbox)
        assert [result.verdict for result in report.results] == [Verdict.CONFIRMED]
        assert report.not_checked[0] == "KL000 at site.py:1:1 (nothing to replay)"

    def test_no_worker_is_started_for_it(self, graph, forum_thread):
        silent = replace(graph.diagnosis(forum_thread), claim=None)
        assert verify_diagnoses([silent]) == VerifyReport(not_checked=("KL000 at site.py:1:1 (nothing to replay)",))


class TestDeterminism:
    def test_one_seed_one_result(self, graph, verify, free):
        random = graph.log_softmax(graph.call("randn", size=(7, 10)))
        claim = graph.claim(graph.kl(random, free[1], "mean"), graph.kl(random, free[1], "batchmean"), Divisor.ROWS)
        first, again, other = (verify(claim, seed=seed) for seed in (3, 3, 4))
        assert first == again
        assert first.runs[0].as_written != other.runs[0].as_written


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"device": "tpu"}, "unknown device 'tpu'"),
            ({"dtypes": ("int8",)}, "unknown dtype 'int8'"),
            ({"classes": (1,)}, "classes must be 2 or more"),
            ({"batch": 0}, "batch must be 1 or more"),
            ({"timeout": 0.0}, "timeout must be more than 0"),
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, options, message):
        with pytest.raises(VerifyError, match=message):
            VerifyOptions(**options)

    def test_nothing_to_verify_starts_no_worker(self):
        assert verify_diagnoses([]) == VerifyReport()

    def test_cuda_without_a_gpu_is_one_clear_error(self, sandbox):
        if sandbox.environment()["cuda"]:
            pytest.skip("there is a GPU")
        with pytest.raises(VerifyError, match="no CUDA device"):
            verify_diagnoses([], VerifyOptions(device="cuda"), sandbox)
