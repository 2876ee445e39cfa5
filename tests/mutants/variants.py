"""The broken variants of Easel, each with the test that must catch it."""

from dataclasses import dataclass

TRACE = "tests/integration/test_system_calls.py::"
PICTURES = "tests/integration/test_picture_process.py::"
STORED = (
    TRACE + "test_a_picture_is_written_synced_renamed_and_its_folder_synced"
)
KILLED = (
    "tests/e2e/test_kill.py::"
    "test_a_job_killed_at_any_named_place_reaches_its_end_once"
)
SLACK_KILL = "tests/e2e/test_slack_kill.py::"
DISCORD_KILL = "tests/e2e/test_discord_kill.py::"
DISCORD_FAULTS = "tests/integration/test_discord_faults.py::"
FLOW = "tests/integration/test_flow.py::"
PROGRESS = "tests/integration/test_progress.py::"
START = "tests/integration/test_start.py::"
TROUBLE = "tests/integration/test_trouble.py::"
CLAIMS = "tests/contract/test_claims.py::"
GROWTH = "tests/contract/test_growth.py::"
INBOXES = "tests/contract/test_inbox.py::"
MONEY = "tests/contract/test_money.py::"
STORES = "tests/contract/test_store.py::"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A text of the source and what stands there instead; ``test`` must fail."""

    file: str
    text: str
    broken: str
    test: str


FOLDER, POOL = "core/storage/folder.py", "core/pictures/pool.py"
CHILD = "core/pictures/child.py"
CONTEXT, DELIVER = "core/flow/context.py", "core/flow/deliver.py"
GENERATE, ENGINE = "core/flow/generate.py", "core/engine.py"
INBOX, STEPS = "core/storage/inbox.py", "core/storage/progress.py"

MUTANTS = {
    "a blob is not synced": Mutant(
        file=FOLDER,
        text="            os.fsync(file.fileno())\n",
        broken="",
        test=STORED,
    ),
    "the folder of a blob is not synced": Mutant(
        file=FOLDER,
        text="        _sync_folder(path.parent)\n",
        broken="",
        test=STORED,
    ),
    "a new folder is not synced into the one above": Mutant(
        file=FOLDER,
        text="    _sync_folder(folder.parent)\n",
        broken="",
        test=STORED,
    ),
    "a blob is written in place": Mutant(
        file=FOLDER,
        text='temporary = path.with_name(f".{key}.{suffix}")',
        broken="temporary = path",
        test=STORED,
    ),
    "SQLite does not sync": Mutant(
        file="core/storage/database.py",
        text="PRAGMA synchronous=FULL",
        broken="PRAGMA synchronous=OFF",
        test=TRACE + "test_a_commit_is_synced_after_it_is_written",
    ),
    "a child gets our environment": Mutant(
        file=POOL,
        text="name: os.environ[name] for name in ENVIRONMENT if name in os.environ",
        broken="name: os.environ[name] for name in os.environ",
        test=PICTURES + "test_no_secret_is_in_the_environment_of_a_process",
    ),
    "a killed child costs a picture": Mutant(
        file=POOL,
        text="TRIES = 2",
        broken="TRIES = 1",
        test=PICTURES
        + "test_a_process_that_was_killed_from_outside_costs_nobody_a_picture",
    ),
    "processor time is not limited": Mutant(
        file=CHILD,
        text="            _limit_processor()\n",
        broken="",
        test=PICTURES + "test_each_picture_has_its_seconds_of_processor_time",
    ),
    "a child ends with a signal for the group": Mutant(
        file=CHILD,
        text="    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n",
        broken="",
        test=PICTURES + "test_signals_for_all_of_us_end_no_picture_in_work",
    ),
    # Kept before it is acknowledged
    "an event is acknowledged before its commit": Mutant(
        file=INBOX,
        text="        await committed\n",
        broken="",
        test=INBOXES
        + "test_nothing_is_acknowledged_before_its_commit[sqlite]",
    ),
    "Slack is told ok before the commit": Mutant(
        file="adapters/slack/socket.py",
        text="""        try:
            answer = await self._app.deliver(delivery.payload)
""",
        broken="""        await socket.send_socket_mode_response(
            SocketModeResponse(delivery.envelope_id)
        )
        try:
            answer = await self._app.deliver(delivery.payload)
""",
        test=SLACK_KILL
        + "test_an_event_killed_before_its_commit_is_delivered_again[sqlite]",
    ),
    "Discord is told ok before the commit": Mutant(
        file="adapters/discord/app.py",
        text="""        reply = await _in_time(self._receive(incoming))
""",
        broken="""        reply = DiscordReply.read(incoming.reply)
        await self._acknowledge(reply, THINKING, {})
        reply = await _in_time(self._receive(incoming))
""",
        test=DISCORD_KILL + "test_killed_before_its_commit_a_command_fails_"
        "for_its_person_and_for_nobody_later[sqlite]",
    ),
    "a request is forgotten before its step is begun": Mutant(
        file=ENGINE,
        text="""        try:
            await self._prepare(origin)
""",
        broken="""        await self._finish_delivery(delivery)
        try:
            await self._prepare(origin)
""",
        test=KILLED + "[begin.before_commit]",
    ),
    # Submitted once
    "a lost submit is sent again unseen": Mutant(
        file=GENERATE,
        text="    is_lost = step.state is StepState.SUBMITTING or step.intended is not None\n",
        broken="    is_lost = False\n",
        test=KILLED + "[submit.after_send]",
    ),
    "the service's list is asked by our own clock": Mutant(
        file="core/providers/dashscope/client.py",
        text="return at + (self._ahead or timedelta())",
        broken="return at",
        test=FLOW
        + "test_a_lost_submit_is_found_though_our_clock_is_wrong[drop_after-5]",
    ),
    "a task is recorded without compare-and-set": Mutant(
        file="core/storage/submits.py",
        text="change_from(StepState.SUBMITTING, tenant, step)",
        broken="update(steps).filter_by(tenant=tenant, id=step)",
        test=STORES + "test_the_road_of_a_job_is_walked_once[sqlite]",
    ),
    # Shown once, and truly
    "a step is done before its result is posted": Mutant(
        file=DELIVER,
        text="""    failpoint("deliver.before_post")
""",
        broken="""    await context.store.finish(step.tenant, step.id)
    failpoint("deliver.before_post")
""",
        test=KILLED + "[deliver.before_post]",
    ),
    "a message is posted that was not intended": Mutant(
        file=CONTEXT,
        text="        sent = await status_message(context, step)\n",
        broken="        sent = await context.store.message_of(step)\n",
        test=KILLED + "[say.after_post]",
    ),
    "a count of rows that PostgreSQL does not give is believed": Mutant(
        file="core/storage/messages.py",
        text="""            result = await connection.execute(insert.returning(posting.c.job))
            return result.first() is not None
""",
        broken="""            result = await connection.execute(insert)
            return bool(result.rowcount)
""",
        test=GROWTH
        + "test_what_is_about_to_be_posted_is_new_only_once[postgresql]",
    ),
    "delivered is logged without a post": Mutant(
        file=DELIVER,
        text='"delivered" if is_shown else "undeliverable",',
        broken='"delivered",',
        test=TROUBLE
        + "test_a_result_that_nobody_would_take_is_shown_when_they_do",
    ),
    "a result that was not shown is forgotten": Mutant(
        file=DELIVER,
        text="""    if not is_shown:
        await context.store.note_failed_delivery(step.tenant, step.id)
    await context.store.finish""",
        broken="    await context.store.finish",
        test=TROUBLE
        + "test_a_result_that_nobody_would_take_is_shown_by_the_next_start",
    ),
    "progress is sent without the message's lock": Mutant(
        file="core/flow/status.py",
        text="    async with context.message_lock(step):\n",
        broken="    async with asyncio.Lock():\n",
        test=PROGRESS
        + "test_a_result_waits_for_a_progress_line_that_is_on_its_way[False]",
    ),
    # Waited out
    "an outage of a platform is taken for its last word": Mutant(
        file=CONTEXT,
        text="        return not error.permanent\n",
        broken="        return False\n",
        test=TROUBLE
        + "test_a_question_back_waits_for_a_platform_that_is_away",
    ),
    "an outage of the database is taken for a bug": Mutant(
        file=CONTEXT,
        text="TRANSIENT = (\n    OperationalError,\n",
        broken="TRANSIENT = (\n",
        test=TROUBLE
        + "test_a_request_waits_for_the_database_and_is_begun_once",
    ),
    "a page in Discord's place is taken for its answer": Mutant(
        file="adapters/discord/api.py",
        text="        if isinstance(answer, str) and answer:\n",
        broken="        if False:\n",
        test=DISCORD_FAULTS + "test_one_result_whatever_answers_are_lost[13]",
    ),
    # Paid as it was allowed
    "money is held after the step is there": Mutant(
        file=STEPS,
        text="""            await ledger.hold(connection, step, now)
            return await self._get(connection, step.tenant, step.id)
""",
        broken="""            begun = await self._get(connection, step.tenant, step.id)
        async with self._writing.begin() as connection:
            await ledger.hold(connection, step, now)
        return begun
""",
        test=STORES
        + "test_t16_sixty_four_racing_requests_never_break_a_budget[sqlite]",
    ),
    "money is given back for a step that has ended already": Mutant(
        file=STEPS,
        text="""            if not result.rowcount:
                return None
            if charged is not Charged.MAYBE:
                await ledger.settle(connection, step, final_cost, now)
""",
        broken="""            if charged is not Charged.MAYBE:
                await ledger.settle(connection, step, final_cost, now)
            if not result.rowcount:
                return None
""",
        test=STORES
        + "test_what_may_have_been_charged_stays_held_until_it_is_dropped[sqlite]",
    ),
    "money comes back in another period than it was held in": Mutant(
        file="core/storage/ledger.py",
        text="    at = entered.get(EntryKind.HOLD, now)\n",
        broken="    at = now\n",
        test=MONEY
        + "test_cancelling_after_midnight_makes_no_room_in_the_new_period[sqlite-person_day]",
    ),
    # Several processes are one bot
    "the lock of a budget holds for one process": Mutant(
        file="core/storage/step_writer.py",
        text='if self._writing.dialect.name == "postgresql":',
        broken='if self._writing.dialect.name == "none":',
        test=STORES
        + "test_t16_sixty_four_racing_requests_never_break_a_budget[postgresql]",
    ),
    "the lock of a line holds for one process": Mutant(
        file="core/storage/claims.py",
        text="        if self._is_postgresql:\n            lock",
        broken="        if False:\n            lock",
        test=CLAIMS
        + "test_workers_at_once_never_claim_more_than_there_are_places[postgresql]",
    ),
    "the lock of a data folder holds for one process": Mutant(
        file="bot/folder.py",
        text='FileLock(folder / "easel.lock",',
        broken='FileLock(folder / f"easel-{id(stack)}.lock",',
        test=START + "test_a_data_folder_is_for_one_process",
    ),
    "progress is guarded in one process": Mutant(
        file="core/flow/status.py",
        text="    is_guarded = context.is_shared and step.state is not StepState.MADE\n",
        broken="    is_guarded = False\n",
        test=PROGRESS
        + "test_a_result_waits_for_a_progress_line_that_is_on_its_way[True]",
    ),
}
