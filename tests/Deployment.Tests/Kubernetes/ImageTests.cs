using Espalier.Deployment.Tests.Manifests;

namespace Espalier.Deployment.Tests.Kubernetes;

/// <summary>Pods run images that there is a Dockerfile for, in this version; images of others are pinned.</summary>
public sealed class ImageTests
{
    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void Images_OfAnOverlay_CanBeBuiltOrArePinned(string name) => ProblemsOf(Overlay.Render(name)).ShouldBeEmpty();

    [Theory]
    [InlineData("image: espalier/pruner:0.1.0", "image: espalier/pruner:latest", "tag")]
    [InlineData("image: espalier/pruner:0.1.0", "image: espalier/prunner:0.1.0", "Dockerfile")]
    [InlineData("image: espalier/pruner-cuda:0.1.0", "image: espalier/registry-cuda:0.1.0", "stage 'cuda'")]
    public void Images_Wrong_AreFound(string right, string wrong, string expected) =>
        ProblemsOf(Overlay.Render("gpu").With(right, wrong)).ShouldContain(p => p.Contains(expected));

    [Fact]
    public void Images_OfOthersWithoutADigest_AreFound() =>
        ProblemsOf(Overlay.Render("kind").With("image: postgres:16.9@sha256:", "image: postgres:16.9-")).ShouldContain(p => p.Contains("has no digest"));

    private static IEnumerable<string> ProblemsOf(Overlay overlay)
    {
        foreach (var pod in overlay.Pods)
        {
            var (name, tag) = pod.Image.Split('@')[0].Split(':') is [var n, var t] ? (n, t) : (pod.Image, "");
            if (!pod.IsOurs)
            {
                if (!tag.Any(char.IsAsciiDigit))
                    yield return $"{pod.Name}: {pod.Image} has no tag that names a version.";
                if (!pod.Image.Contains("@sha256:", StringComparison.Ordinal))
                    yield return $"{pod.Name}: {pod.Image} has no digest.";
                continue;
            }
            if (tag != ServiceFiles.Version)
                yield return $"{pod.Name}: the tag of {pod.Image} is not {ServiceFiles.Version}.";
            if (!ServiceFiles.Names.Contains(pod.Service))
                yield return $"{pod.Name}: there is no Dockerfile for {pod.Image}.";
            else if (name.EndsWith(PodTemplate.Cuda, StringComparison.Ordinal) && !ServiceFiles.StagesOf(pod.Service).Contains("cuda"))
                yield return $"{pod.Name}: the Dockerfile of {pod.Service} has no stage 'cuda'.";
        }
    }
}
