def run(h, seed, seconds): pass
