"""Documents, on SQLite and PostgreSQL."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from server.calls.agent import AgentConfig
from server.calls.documents import Deployments, Documents, stored_agents, stored_playbooks
from server.calls.errors import DocumentChanged, NameTaken, NotFound
from server.calls.origin import Deployment

AVA = AgentConfig(agent_name="Ava", contacts={"boss": "+14165550123"})
MAX = AgentConfig(agent_name="Max")
DESK = Deployment(name="desk", number="+14165550123", allowed_regions=("CA",))


@pytest.fixture
def agents(engine: AsyncEngine) -> Documents[AgentConfig]:
    return stored_agents(engine)


async def test_a_document_is_read_as_it_was_written(agents: Documents[AgentConfig]) -> None:
    kept = await agents.create("reception", AVA)
    assert kept.document == AVA
    assert await agents.get(kept.id) == kept
    assert await agents.by_name("reception") == kept


async def test_the_id_of_an_agent_is_a_uuid(agents: Documents[AgentConfig]) -> None:
    kept = await agents.create("reception", AVA)
    assert UUID(kept.id).version == 7
    assert str(UUID(kept.id)) == kept.id


async def test_a_playbook_is_kept_to_the_letter(engine: AsyncEngine) -> None:
    playbooks = stored_playbooks(engine)
    markdown = "\ufeff#### “one” \r\n**Opening**: Grüezi {facts.x} 👋\n"
    assert (await playbooks.create("swiss", markdown)).document == markdown


async def test_a_name_is_given_once(agents: Documents[AgentConfig]) -> None:
    await agents.create("one", AVA)
    other = await agents.create("two", AVA)
    with pytest.raises(NameTaken):
        await agents.create("one", MAX)
    with pytest.raises(NameTaken):
        await agents.replace(other.id, "one", MAX)
    assert (await agents.get(other.id)).document == AVA


async def test_of_many_who_take_a_name_at_once_one_gets_it(agents: Documents[AgentConfig]) -> None:
    results = await asyncio.gather(
        *(agents.create("one", AVA) for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(result, NameTaken) for result in results) == 9
    assert len(await agents.list()) == 1


async def test_a_document_is_replaced_with_its_name(agents: Documents[AgentConfig]) -> None:
    kept = await agents.create("one", AVA)
    changed = await agents.replace(kept.id, "two", MAX)
    assert (changed.id, changed.name, changed.document) == (kept.id, "two", MAX)
    assert changed.created_at == kept.created_at
    assert changed.version != kept.version
    with pytest.raises(NotFound):
        await agents.by_name("one")


async def test_a_version_that_is_not_the_last_one_is_refused(
    agents: Documents[AgentConfig],
) -> None:
    kept = await agents.create("one", AVA)
    changed = await agents.replace(kept.id, "one", MAX, kept.version)
    with pytest.raises(DocumentChanged):
        await agents.replace(kept.id, "one", AVA, kept.version)
    with pytest.raises(DocumentChanged):
        await agents.delete(kept.id, kept.version)
    assert await agents.get(kept.id) == changed


async def test_of_many_who_change_one_version_at_once_one_does(
    agents: Documents[AgentConfig],
) -> None:
    kept = await agents.create("one", AVA)
    results = await asyncio.gather(
        *(
            agents.replace(kept.id, "one", AgentConfig(agent_name=f"Ava {n}"), kept.version)
            for n in range(10)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, DocumentChanged) for result in results) == 9


async def test_a_deleted_document_is_gone(agents: Documents[AgentConfig]) -> None:
    kept = await agents.create("one", AVA)
    assert await agents.delete(kept.id) == kept
    for again in (agents.get(kept.id), agents.delete(kept.id), agents.replace(kept.id, "x", MAX)):
        with pytest.raises(NotFound, match="agent"):
            await again


async def test_the_list_is_newest_first_and_can_be_paged(agents: Documents[AgentConfig]) -> None:
    for number in range(5):
        await agents.create(f"agent {number}", AVA)
    first = await agents.list(limit=2)
    assert [agent.name for agent in first] == ["agent 4", "agent 3"]
    rest = await agents.list(cursor=first[-1].id)
    assert [agent.name for agent in rest] == ["agent 2", "agent 1", "agent 0"]


async def test_a_deployment_is_found_by_its_number(engine: AsyncEngine) -> None:
    deployments = Deployments(engine)
    kept = await deployments.create(DESK.name, DESK)
    note = Deployment(name="note", number="+14165550999", note='"number":"+14165550000"')
    await deployments.create(note.name, note)
    assert await deployments.by_number("+14165550123") == (kept.id, DESK)
    assert await deployments.by_number("+14165550000") is None
    assert await deployments.by_id(kept.id) == DESK
    assert await deployments.by_id("dep_0") is None
