"""The world on one laptop: embedded AWS, queue and schedule pumps, simulated couriers, scenarios, virtual clock."""
