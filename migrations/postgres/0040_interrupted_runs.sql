-- The daemon asks every second which runs of a job were interrupted.
CREATE INDEX run_interrupted ON run (job, scheduled_for) WHERE status = 'interrupted';
