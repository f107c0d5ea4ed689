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
    run, predictor = learn(arguments)

    from export import parity, saved_model  # only now: their import takes seconds
    from keras_s2s import workflow

    saved_model.export(run)
    parity.finish(run)
    workflow.show(run, predictor)


def learn(arguments):
    """The story without its exports: a run that is trained and scored, and what answers with it."""
    from keras_s2s import workflow

    run = workflow.open_run(arguments.run, arguments.config, arguments.resume)
    workflow.prepare_corpus(run)
    workflow.prepare_assets(run)
    workflow.be_taught(run)
    workflow.train(run, arguments.resume)
    return run, workflow.evaluate(run)


if __name__ == "__main__":
    sys.exit(main())
