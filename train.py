"""Trains an encoder-decoder from pairs of sentences, scores it and exports it: the story of a run."""

import sys

from keras_s2s import cli, sweep
from keras_s2s.run import resume_command


def main() -> int:
    arguments = cli.training_arguments()
    if arguments.sweep:
        return cli.guarded(lambda: sweep.sweep(arguments, story), "the same command")
    return cli.guarded(lambda: story(arguments), resume_command(arguments.run))


def story(arguments) -> None:
    from keras_s2s import workflow

    run = workflow.open_run(arguments.run, arguments.config, arguments.resume)
    workflow.prepare_corpus(run)
    workflow.prepare_assets(run)
    workflow.be_taught(run)
    workflow.train(run, arguments.resume)
    predictor = workflow.evaluate(run)

    from export import parity, saved_model  # only now: their import takes seconds
    saved_model.export(run)
    parity.finish(run)
    workflow.show(run, predictor)


if __name__ == "__main__":
    sys.exit(main())
