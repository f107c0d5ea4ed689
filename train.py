"""Trains an encoder-decoder from pairs of sentences, scores it and exports it: the story of a run."""

import sys

from keras_s2s import cli


def main() -> int:
    arguments = cli.training_arguments()
    return cli.guarded(lambda: story(arguments))


def story(arguments) -> None:
    from export import saved_model
    from keras_s2s import workflow

    run = workflow.open_run(arguments.run, arguments.config, arguments.resume)
    workflow.prepare_corpus(run)
    workflow.prepare_assets(run)
    workflow.train(run, arguments.resume)
    predictor = workflow.evaluate(run)
    saved_model.export(run)
    workflow.show(run, predictor)


if __name__ == "__main__":
    sys.exit(main())
