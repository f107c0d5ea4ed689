"""What a shortlist brings: python -m tests.benchmarks.shortlist RUN [--counts 10 20 50 100] [--most 2000]

The run's dev set, greedy and with beam 5, with the whole vocabulary and with shortlists (`search.shortlist`): sentences a CPU second of a search
whose graph is traced, of at most --most of them, how many times those with the whole vocabulary, and the score of all.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--counts", type=int, nargs="+", default=[10, 20, 50, 100], metavar="N")
    parser.add_argument("--most", type=int, default=2000, metavar="SENTENCES")
    arguments = parser.parse_args()
    from keras_s2s.terminal import load_tensorflow

    load_tensorflow()
    from keras_s2s.run import Run, load

    run, predictor = Run.open(arguments.run), load(arguments.run)
    begun = time.process_time()
    table = predictor.lexicon.table
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; vocabularies of {len(table) - 1:,} and "
          f"{predictor.model.target.tokenizer.vocabulary_size:,} tokens; lexicon ready in {time.process_time() - begun:.1f} s of CPU")
    for beam in (1, 5):
        whole = None
        for count in (0, *arguments.counts):
            seconds, score, sentences = measured(run, predictor.with_search(beam_size=beam, shortlist=count), arguments.most)
            whole = whole or seconds
            print(f"beam {beam}  {f'shortlist {count}' if count else 'all tokens':<14}{sentences / seconds:>8,.0f} sentences/s of CPU"
                  f"{whole / seconds:>7.2f} x{score:>8.2f} {next(iter(predictor.model.target.scoring.heads))}", flush=True)


def measured(run, predictor, most: int) -> tuple[float, float, int]:
    """CPU seconds of a second search, the score of the dev set, and how many sentences were asked."""
    rows = run.rows("dev")
    sources, _ = rows.raws(range(0, len(rows), -(-len(rows) // most)))
    predictor.predict(sources)
    begun = time.process_time()
    predictor.predict(sources)
    seconds = time.process_time() - begun
    scoring = predictor.model.target.scoring
    return seconds, scoring.evaluate(predictor, rows, run.rows("train"), "dev")[0][next(iter(scoring.heads))], len(sources)


if __name__ == "__main__":
    main()
