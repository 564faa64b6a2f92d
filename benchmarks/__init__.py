"""What txtornado takes, beside its peers: ``python -m benchmarks``.

``_model`` says what a contestant, a job and a measurement are; each module of ``jobs`` has the
jobs of one kind, each file of ``servers`` is a program that a contestant runs, ``load`` is the
load that ``wrk`` and ``h2load`` cannot give.  The rest runs jobs in turn and prints what came out.
"""
