"""Settings that make the task sets small."""

SMALL = {
    "animals": ["data.num_rows={train: 12, val: 6, test: 6}"],
    "clicks": ["data.num_rows={train: 200, val: 60, test: 60}", "data.users=20", "data.items=40", "data.shops=5"],
    "driving": ["data.num_scenes={train: 12, val: 4, test: 4}", "data.num_signs={train: 8, val: 4, test: 4}"],
    "medical": ["data.num_rows={train: 24, val: 16, test: 16}", "data.size=32"],
    "multidigits": ["data.num_train=32", "data.num_val=16", "data.num_test=16"],
    "presence": ["data.num_scenes={train: 12, val: 6, test: 6}"],
    "study_conflict": ["data.rows=40", "data.held_out=20", "trainer.batch_size=10"],
    "study_scales": ["data.rows=40", "data.held_out=20", "trainer.batch_size=10"],
    "study_scarce": ["data.ample_rows=40", "data.held_out=20", "trainer.batch_size=20"],
    "study_shortcut": ["data.rows=40", "data.held_out=20", "trainer.batch_size=10"],
    "study_subspace": ["data.tasks=3", "data.rows=20", "data.held_out=20", "trainer.batch_size=12"],
    "text": ["data.num_rows={train: 24, val: 8, test: 8}", "backbone.layers=2", "backbone.width=32"],
    "toy": ["data.rows=4"],
}
"""The task sets with an embedded default, each with few rows."""

REAL = {
    "multimnist": ["data.digits=fashion", "data.num_train=24", "data.num_val=8", "data.num_test=8"],
    "qm9": ["data.molecules=60", "backbone.channels=16"],
}
"""Those whose real data may be installed."""
