"""Replays that the front could not take when their match ended: brought to it later, until it has them or refuses them.

Which ones is told by files beside them, so that it outlives this process as they do.
"""

from __future__ import annotations

import asyncio

from rl_arena.executor import log, metrics
from rl_arena.executor.store import Store
from rl_arena.executor.upload import Refused, Uploader

AGAIN_SECONDS = 60


async def run(store: Store, uploader: Uploader) -> None:
    """Until it is cancelled."""
    while True:
        await asyncio.sleep(AGAIN_SECONDS)
        try:
            await bring(store, uploader)
        except OSError as error:
            log.warning("late replays cannot be read", error=str(error))


async def bring(store: Store, uploader: Uploader) -> None:
    """All that wait, unless the front is still away."""
    for match_id, attempt in await asyncio.to_thread(store.waiting):
        files = await asyncio.to_thread(store.load_replay, match_id, attempt)
        try:
            if files is not None:
                await uploader.bring(match_id, attempt, *files)
                metrics.uploads.labels("late").inc()
                log.info("replay brought to the front after all", match=match_id, attempt=attempt)
        except TimeoutError:
            # Another one has the first turn next time: it may be this one that cannot be brought.
            await asyncio.to_thread(store.set_waiting, match_id, attempt)
            return
        except Refused as problem:
            log.warning("replay stays here for good", match=match_id, attempt=attempt, error=str(problem))
        await asyncio.to_thread(store.unset_waiting, match_id, attempt)
