"""What of a tool's own module is mended or left out before it is built."""

from __future__ import annotations

Patch = tuple[str, str, str]
"""A file of the tool's own module, a text that occurs in it once, and its replacement."""

PULUMI = "github.com/pulumi/pulumi"
PROVIDER = "github.com/pulumi/pulumi-kubernetes/provider/v4"


def without(file: str, *imports: str) -> tuple[Patch, ...]:
    """Removes plugins that podpath never uses and whose SDKs take long to compile."""
    return tuple((file, f'_ "{path}"', "") for path in imports)


def unused(file: str, *imports: str) -> tuple[Patch, ...]:
    """Removes imports whose uses other patches remove."""
    return tuple((file, f'"{path}"', "") for path in imports)


NEW_SIGNATURE = (
    ("pkg/controller/controller.go", "5, // workers", "5, // workers\n1, // for status updates"),
)
"""The node controller of Kubernetes 1.37 takes one more number."""
WITHOUT_API = (
    ("cmd/pulumi/pulumi.go", f'"{PULUMI}/pkg/v3/cmd/pulumi/cloud"', ""),
    ("cmd/pulumi/pulumi.go", "cloud.NewAPICmd(),", ""),
)
"""`pulumi api` calls Pulumi's own service; its OpenAPI library is a fifteenth of all the code to compile."""
_DIY = "backend/diy/backend.go"
_KEYS = "secrets/cloud/manager.go"
_AZURE = """blobmux.RegisterBucket(azureblob.Scheme, &azureblob.URLOpener{
			MakeClient:        azureblob.NewDefaultClient,
			ServiceURLOptions: *azureblob.NewDefaultServiceURLOptions(),
		})"""
_GOOGLE = """case gcpkms.Scheme:
		credentials, err := authhelpers.ResolveGoogleCredentials(ctx, cloudkms.CloudkmsScope)
		if err != nil {
			return nil, fmt.Errorf("missing google credentials: %w", err)
		}

		kmsClient, _, err := gcpkms.Dial(ctx, credentials.TokenSource)
		if err != nil {
			return nil, fmt.Errorf("failed to connect to gcpkms: %w", err)
		}
		opener := gcpkms.URLOpener{
			Client: kmsClient,
		}

		return opener.OpenKeeperURL(ctx, u)
"""
_LOGS = "OperationsProvider(ctx, ops.config, ops.resource)"
_POLICIES = "backend/httpstate/policypack.go"
WITHOUT_CLOUDS = (
    *unused("cmd/pulumi/pulumi.go", f"{PULUMI}/pkg/v3/cmd/pulumi/neo"),
    ("cmd/pulumi/pulumi.go", "neo.NewNeoCmd(),", ""),
    *unused(_POLICIES, f"{PULUMI}/sdk/v3/nodejs/npm"),
    (
        _POLICIES,
        "npm.Pack(ctx, npm.AutoPackageManager, op.PlugCtx.Pwd, os.Stderr)",
        'archive.TGZ(op.PlugCtx.Pwd, "package", true)',
    ),
    *without(_DIY, "gocloud.dev/blob/s3blob", f"{PULUMI}/pkg/v3/backend/diy/postgres"),
    *unused(_DIY, "gocloud.dev/blob/azureblob", "gocloud.dev/blob/gcsblob", f"{PULUMI}/pkg/v3/authhelpers"),
    (_DIY, "p.Scheme == gcsblob.Scheme", "false"),
    (_DIY, "blobmux, err = authhelpers.GoogleCredentialsMux(ctx)", ""),
    (_DIY, "p.Scheme == azureblob.Scheme", "false"),
    (_DIY, _AZURE, ""),
    ("backend/diy/bucket.go", 'awss3 "github.com/aws/aws-sdk-go-v2/service/s3"', ""),
    ("backend/diy/bucket.go", "var input *awss3.CopyObjectInput", "var input *struct{ CopySource *string }"),
    ("backend/diy/bucket.go", "(input *awss3.CopyObjectInput)", "(input *struct{ CopySource *string })"),
    *without(_KEYS, *(f"gocloud.dev/secrets/{name}" for name in ("awskms", "azurekeyvault", "hashivault"))),
    *unused(_KEYS, "gocloud.dev/secrets/gcpkms", "google.golang.org/api/cloudkms/v1"),
    *unused(_KEYS, f"{PULUMI}/pkg/v3/authhelpers"),
    (_KEYS, _GOOGLE, ""),
    ("operations/operations_aws.go", "package operations", "//go:build never\n\npackage operations"),
    ("operations/operations_gcp.go", "package operations", "//go:build never\n\npackage operations"),
    (
        "operations/resources.go",
        "return AWSOperationsProvider(ctx, ops.config, ops.resource)",
        "return nil, nil",
    ),
    (
        "operations/resources.go",
        "return GCPOperationsProvider(ctx, ops.config, ops.resource)",
        "return nil, nil",
    ),
)
"""State in buckets, keys and logs of clouds, and what speaks to Pulumi's service: podpath keeps a stack in
a folder, by a passphrase. That is 577 of 1454 packages beyond Go's own."""
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
POLICIES_ONLY = (
    (
        "pkg/controllers/netpol/network_policy_controller.go",
        '"0x20000/0x20000",\n\t\t\t\t"-j", "ACCEPT"}',
        '"0x20000/0x20000",\n\t\t\t\t"-j", "RETURN"}',
    ),
)
"""kube-router accepts what its policies allow in front of all other rules of FORWARD: it expects to be the
Service proxy, too. Neither kube-proxy's rules there nor the node's half of the fence would be met then: their
packets would go out to the host. What policies deny is untouched; what they allow meets the next rule."""
