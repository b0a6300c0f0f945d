"""`make chaos`: real processes under load, every fault on purpose, and ledgers of what became of what was promised."""
