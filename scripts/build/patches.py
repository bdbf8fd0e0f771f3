"""What of a tool's own module is mended or left out before it is built."""

from __future__ import annotations

Patch = tuple[str, str, str]
"""A file of the tool's own module, a text that occurs in it once, and its replacement."""

PULUMI = "github.com/pulumi/pulumi"
PROVIDER = "github.com/pulumi/pulumi-kubernetes/provider/v4"


def without(file: str, *imports: str) -> tuple[Patch, ...]:
    """Removes plugins that podpath never uses and whose SDKs take long to compile."""
    return tuple((file, f'_ "{path}"', "") for path in imports)


NEW_SIGNATURE = (
    ("pkg/controller/controller.go", "5, // workers", "5, // workers\n1, // for status updates"),
)
"""The node controller of Kubernetes 1.37 takes one more number."""
WITHOUT_API = (
    ("cmd/pulumi/pulumi.go", f'"{PULUMI}/pkg/v3/cmd/pulumi/cloud"', ""),
    ("cmd/pulumi/pulumi.go", "cloud.NewAPICmd(),", ""),
)
"""`pulumi api` calls Pulumi's own service; its OpenAPI library is a fifteenth of all the code to compile."""
_CONSTRUCT = "pkg/provider/provider_construct.go"
ONLY_OBJECTS = (
    ("pkg/await/await.go", "structured-merge-diff/v4/", "structured-merge-diff/v6/"),
    ("pkg/gen/schema.go", "Provider: pschema.ResourceSpec{", "Provider: &pschema.ResourceSpec{"),
    ("cmd/pulumi-resource-kubernetes/main.go", "schema-embed.json", "schema.json"),
    ("cmd/pulumi-resource-kubernetes/main.go", "terraform-mapping-embed.json", "terraform-mapping.json"),
    (_CONSTRUCT, f'providerhelmv4 "{PROVIDER}/pkg/provider/helm/v4"', ""),
    (_CONSTRUCT, f'providerkustomizev2 "{PROVIDER}/pkg/provider/kustomize/v2"', ""),
    (_CONSTRUCT, f'provideryamlv2 "{PROVIDER}/pkg/provider/yaml/v2"', ""),
    (_CONSTRUCT, '"kubernetes:yaml/v2:ConfigFile":     provideryamlv2.NewConfigFileProvider,', ""),
    (_CONSTRUCT, '"kubernetes:yaml/v2:ConfigGroup":    provideryamlv2.NewConfigGroupProvider,', ""),
    (_CONSTRUCT, '"kubernetes:helm.sh/v4:Chart":       providerhelmv4.NewChartProvider,', ""),
    (_CONSTRUCT, '"kubernetes:kustomize/v2:Directory": providerkustomizev2.NewDirectoryProvider,', ""),
)
"""Uses two names as newer modules spell them, and the schema file that the module has (without its version).
Leaves out Helm charts and YAML files: they need the whole Go SDK (66 packages, ten minutes to compile)."""
