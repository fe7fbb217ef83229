// The certificate of an authority that is always the same, for goldens: what depends on its content must not change. Nobody has
// its key, so it has issued nothing.

export const FIXED_AUTHORITY = `-----BEGIN CERTIFICATE-----
MIIBUTCB96ADAgECAgxA+6ayAduZwnOlsGEwCgYIKoZIzj0EAwIwGjEYMBYGA1UE
AwwPZml4ZWQgYXV0aG9yaXR5MB4XDTI2MTEyMjIzNTcyOFoXDTQ4MTAxODIzNTcy
OFowGjEYMBYGA1UEAwwPZml4ZWQgYXV0aG9yaXR5MFkwEwYHKoZIzj0CAQYIKoZI
zj0DAQcDQgAEneJEHI7ZzQyAdotbV531qrS/EHnO5k/ieJlOB00AdrjUkpUIm2uB
GWwlbhz4xdgEEjUPl8aqHkRgLTWBPECHx6MjMCEwDwYDVR0TAQH/BAUwAwEB/zAO
BgNVHQ8BAf8EBAMCAQYwCgYIKoZIzj0EAwIDSQAwRgIhAJhSZZzRbAGelqTlE1Nw
VnU9RpMunioLXCJUZeuK7LheAiEAj8k9Xsj2gLnsvCKFj7ShI3XpaIrmYlh5mewa
TTzbA30=
-----END CERTIFICATE-----
`;

/** `key`: namespace/name. */
export function authoritySecretYaml(key: string): string {
  const [namespace = '', name = ''] = key.split('/');
  return `{apiVersion: v1, kind: Secret, type: Opaque, metadata: {name: ${name}, namespace: ${namespace}}, data: {ca.crt: ${Buffer.from(FIXED_AUTHORITY).toString('base64')}}}`;
}
