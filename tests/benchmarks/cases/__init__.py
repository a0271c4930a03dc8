"""The benchmarks, one module each: ``TITLE``, and ``run`` which fills a block."""
