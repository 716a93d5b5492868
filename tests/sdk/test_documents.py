"""Every operation that an installed SDK can send is valid in our schema, or stands here by its name, with why it isn't."""

import subprocess
from collections import defaultdict

import pytest
from graphql import GraphQLSyntaxError, build_schema, parse, validate

import sdk_documents
from client import SDK_DIR, VERSIONS
from server import binary

# What Regalia has no part in. A name goes when no SDK has the operation any more, or when it is valid.
OUT_OF_SCOPE = {
    "agents and sweeps": """
        CreateAgent EnqueueSweepRun GetAgentRuns GetSweep GetSweepAgent GetSweepAgents GetSweepLegacy GetSweepState GetSweeps
        Heartbeat Sweep SweepConfig SweepRunsWithHistory SweepWatchedRuns SweepWithRuns UpsertSweep UpsertSweepState
    """,
    "alerts": "NotifyScriptableRunAlert",
    "automations and integrations": """
        CreateAutomation CreateGenericWebhookIntegration DeleteAutomation GenericWebhookIntegrationsByEntity GetAutomations
        GetAutomationsByEntity GetAutomationsLegacy GetEntityAutomations GetEntityAutomationsLegacy GetOrgAutomations
        IntegrationsByEntity SlackIntegrationsByEntity UpdateAutomation
    """,
    "charts and reports": "CreateCustomChart ProjectViews",
    "launch and its queues": """
        CreateDefaultResourceConfig CreateRunQueue DeleteFromRunQueue DeleteRunQueue GetDefaultResourceConfig GetRunQueueItem
        GetRunQueueItems GetRunQueueMetadata LaunchAgent ProjectRunQueues UpsertRunQueue ackRunQueueItem
        createDefaultResourceConfig createLaunchAgent createRunQueue failRunQueueItem fetchRunQueuesFromProject popFromRunQueue
        pushToRunQueue pushToRunQueueByName updateLaunchAgent updateRunQueueItemWarning upsertRunQueue
    """,
    "runs' history, console and code, which aren't kept (rule 47)": """
        HistoryPage RewindRun RunConsoleLogPage RunConsoleLogTail RunFullHistory RunInfo RunParquetHistory RunSampledHistory
        SampledHistoryPage
    """,
    # The SDKs themselves never call it, and `Api.runs` asks otherwise.
    "the first ten runs, for scripts of long ago": "ProjectRuns",
    "runs changed or deleted from outside": "DeleteRun UpdateRunState deleteFiles",
    # Sent only where introspection doesn't show `createRunFiles`.
    "uploads to servers without createRunFiles": "RunUploadUrls",
}

# Put together by a running program alone. All but the sweeps' are sent by the script of a version's whole life.
UNREAD = {
    "0.19.11": """
        apis/public/projects.py:GetSweeps apis/public/registries/registries_search.py:Versions
        sdk/artifacts/artifact.py:ArtifactByID sdk/artifacts/artifact.py:ArtifactByIDShort sdk/artifacts/artifact.py:ArtifactByName
        sdk/internal/internal_api.py:UseArtifact
    """,
    "0.22.3": "apis/public/runs.py:Run sdk/internal/internal_api.py:UseArtifact",
    "0.25.1": "sdk/internal/internal_api.py:UseArtifact",
    "0.28.2": "sdk/internal/internal_api.py:UseArtifact",
    "0.31.0": "sdk/artifacts/_gqlutils.py:UseArtifact",
}

# Operations that every SDK has, so that a reading that finds nothing is noticed.
IN_EVERY_SDK = """
    AddAliases ArtifactUsedBy ClientIDMapping CommitArtifact CreateArtifact CreateArtifactFiles CreateArtifactManifest DeleteArtifact
    FetchLinkedArtifacts FetchRegistry LinkArtifact ProjectArtifacts RunInputArtifacts ServerFeaturesQuery UnlinkArtifact
    UpdateArtifact UpdateArtifactManifest UpsertBucket Viewer
"""


@pytest.fixture(scope="module")
def schema():
    printed = subprocess.run([binary(), "schema"], check=True, capture_output=True, text=True).stdout
    return build_schema(printed)


@pytest.fixture(scope="module")
def found():
    """Version → what it can send."""
    return {version: sdk_documents.documents(SDK_DIR / version) for version in VERSIONS}


def mistakes(schema, text):
    try:
        return [mistake.message for mistake in validate(schema, parse(text))]
    except GraphQLSyntaxError as mistake:
        return [mistake.message]


def test_documents(schema, found):
    """One schema for every SDK's texts, with exactly their variables' types."""
    # Most versions have most texts in common, but for their spaces.
    senders = defaultdict(set)
    for version, documents in found.items():
        for text in documents.texts:
            senders[" ".join(text.split())].add(version)
    invalid = defaultdict(set)
    for text, versions in senders.items():
        name = sdk_documents.name(text)
        invalid[name] |= {f"{', '.join(sorted(versions))}: {mistake}" for mistake in mistakes(schema, text)}
    invalid = {name: found for name, found in invalid.items() if found}
    listed = " ".join(OUT_OF_SCOPE.values()).split()
    assert len(listed) == len(set(listed)), "a name is listed twice"
    unlisted = [f"{name}: {mistake}" for name in sorted(set(invalid) - set(listed)) for mistake in sorted(invalid[name])]
    assert not unlisted, "not valid in the schema:\n" + "\n".join(unlisted)
    gone = sorted(set(listed) - set(invalid))
    assert not gone, f"listed, but valid now or in no SDK: {gone}"


def test_reading(schema, found):
    """That the texts above are those of the SDKs: all of them, from both places, none cut off."""
    for version, documents in found.items():
        assert documents.unread == set(UNREAD[version].split()), version
        names = {sdk_documents.name(text) for text in documents.texts}
        assert set(IN_EVERY_SDK.split()) <= names, version
        for text in {" ".join(text.split()) for text in documents.texts}:
            parse(text)
    # Were a field gone from the schema, it would be noticed.
    [mistake] = mistakes(schema, "query Q { serverInfo { features { name none } } }")
    assert "Cannot query field 'none' on type 'ServerFeature'" in mistake
