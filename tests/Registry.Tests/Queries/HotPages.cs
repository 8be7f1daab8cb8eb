namespace Espalier.Registry.Tests.Queries;

/// <summary>Every page and query that a large registry must answer at once.</summary>
public sealed class HotPages : TheoryData<string>
{
    public HotPages()
    {
        foreach (var path in Paths)
            Add(path);
    }

    private static readonly string[] Paths =
    [
        "/api/v1/models",
        "/api/v1/models?q=model-0000",
        "/api/v1/models/model-00007",
        "/api/v1/models/model-00007/versions",
        "/api/v1/models/model-00007/versions/50",
        "/api/v1/models/model-00007/versions/50/lineage",
        "/api/v1/models/model-00007/versions/50/signatures",
        "/api/v1/models/model-00007/versions/50/approvals",
        "/api/v1/models/model-00007/aliases/moves",
        "/api/v1/models/model-00007/gates",
        "/api/v1/search?q=",
        "/api/v1/search?q=params.active < 2B and loss < 3.1 order by bytes",
        "/api/v1/search?q=loss < 2.01 order by created desc",
        "/api/v1/search?q=loss < 2.2 and accuracy < 2.2",
        "/api/v1/search?q=model ~ 0000 and not (loss < 4.4) order by bytes",
        "/api/v1/search?q=origin ~ nowhere",
        "/api/v1/search?q=order by loss",
        "/api/v1/search?q=loss > 2.1 order by bytes",
        "/api/v1/search?q=loss > 2.1 order by accuracy desc",
        "/api/v1/search?q=not (loss < 4.4) order by experts",
        "/api/v1/search?q=not (loss < 4.4) order by loss",
        "/api/v1/search?q=tokens > 2.1 or tag.team != team-3",
        "/api/v1/search?q=order by params.active desc",
        "/api/v1/search?q=order by experts",
        "/api/v1/search?q=order by version desc",
        "/api/v1/search?q=experts = 8 and layers = 12",
        "/api/v1/search?q=model = model-00007",
        "/api/v1/search?q=tag.team = team-7",
        "/api/v1/search?q=alias = champion and bytes < 20GB order by loss",
        "/api/v1/search?q=run = 00000000-0000-0000-0000-000000000001",
        "/api/v1/search?q=created < 2020-01-01T00:10:00Z",
        "/api/v1/storage",
        "/api/2.0/mlflow/registered-models/search",
        "/api/2.0/mlflow/registered-models/search?order_by=last_updated_timestamp DESC",
        "/api/2.0/mlflow/registered-models/get?name=model-00007",
        "/api/2.0/mlflow/model-versions/get?name=model-00007&version=50",
        "/api/2.0/mlflow/model-versions/search",
        "/api/2.0/mlflow/model-versions/search?filter=name = 'model-00007'",
        "/api/2.0/mlflow/model-versions/search?filter=tags.team = 'team-7'",
        "/api/2.0/mlflow/model-versions/search?filter=run_id IN ('x', 'y')",
    ];
}
