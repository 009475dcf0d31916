/**
 * Certificates of the fault sink, each its own authority: a client that is given one as `ca` trusts it. Made for tests,
 * worth nothing anywhere else; valid until 2120, except the one that has to be out of date.
 */
export interface SinkCertificate {
  readonly key: string;
  readonly cert: string;
}

/** For `localhost` and 127.0.0.1. */
export const trustedCertificate: SinkCertificate = {
  key: `-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIFZ+Hkc9/AJPjYKJ3OIXOQPu3QKmY5F5yrQJh3MAow8CoAoGCCqGSM49
AwEHoUQDQgAEoCAIWqoitExLNm3QwnnjH5Cr5TignON9VmOY8MDMVw11b9/f+NaN
yOaKdZ9m+6EVyfw7ySnD3rmd6fSdltzK8A==
-----END EC PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBaDCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKAgCFqqIrRMSzZt
0MJ54x+Qq+U4oJzjfVZjmPDAzFcNdW/f3/jWjcjminWfZvuhFcn8O8kpw965nen0
nZbcyvCjTjBMMBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAAATAPBgNVHRMBAf8E
BTADAQH/MB0GA1UdDgQWBBSxF/tSiXdFO1Aw2Y/mCkorDbE6RjAKBggqhkjOPQQD
AgNJADBGAiEA0ReueKAxjFWg5Ns3L2HWRYcWhQgnEaJ6Gru8xbtaHU0CIQDVOBIw
1/CfhHzR5rPe+oK/MYzHVr4tTP3ZS4IbIT2NGA==
-----END CERTIFICATE-----
`,
};

/** For another host. */
export const wrongNameCertificate: SinkCertificate = {
  key: `-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIPuQ/XNW27x410TgelLtDKjAt/xe12luYo7wF14mm8OCoAoGCCqGSM49
AwEHoUQDQgAExeZ9QFGH5VSgZOFwmzpm9SzSwO2PRZOrmgNZyzM7/qi1rxe7CKpV
wD+E7+wEyYp2pSa681Dh0/SN0uqXaXTiQA==
-----END EC PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBeTCCAR+gAwIBAgIBATAKBggqhkjOPQQDAjAcMRowGAYDVQQDDBFlbHNld2hl
cmUuZXhhbXBsZTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowHDEa
MBgGA1UEAwwRZWxzZXdoZXJlLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMB
BwNCAATF5n1AUYflVKBk4XCbOmb1LNLA7Y9Fk6uaA1nLMzv+qLWvF7sIqlXAP4Tv
7ATJinalJrrzUOHT9I3S6pdpdOJAo1AwTjAcBgNVHREEFTATghFlbHNld2hlcmUu
ZXhhbXBsZTAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBTdPIiWO6ruPeY+x4RY
9SF7onILbzAKBggqhkjOPQQDAgNIADBFAiEA9WAfO9h2nFLzZ3Ljnt2Gy/HfOXxu
tO1AVd9fMRnn4skCIBizSyBZDVS+oU18CRuk/cBUoorr/XiblNcmery+R9qI
-----END CERTIFICATE-----
`,
};

/** Ended in 2021. */
export const expiredCertificate: SinkCertificate = {
  key: `-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIFBVYuqOILQ9yiO8pG/zdtLo+5PFzMgDnvotFZBhakxLoAoGCCqGSM49
AwEHoUQDQgAE6nyFWxmRc/qHbunEK++Hey/pQlBi8YWTmoI/YvgEkoyv7BUBZGJ1
rr5AVy8nklBd025Ql7NTsLNfdjVBEPwVIQ==
-----END EC PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBZTCCAQugAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwHhcNMjAwMTAxMDAwMDAwWhcNMjEwMTAxMDAwMDAwWjAUMRIwEAYDVQQDDAls
b2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATqfIVbGZFz+odu6cQr
74d7L+lCUGLxhZOagj9i+ASSjK/sFQFkYnWuvkBXLyeSUF3TblCXs1Ows192NUEQ
/BUho04wTDAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwDwYDVR0TAQH/BAUw
AwEB/zAdBgNVHQ4EFgQUFwoMpQtfLHTpleeAlorIhhFqgt8wCgYIKoZIzj0EAwID
SAAwRQIgUeXmk0RUhcb0lZFSB4sLp1jQ9+rMlXA0lThB9aR3aRICIQCFUkNdS/8v
y+vuAisebJM72BIQgAdTtdmTqGod6ussDg==
-----END CERTIFICATE-----
`,
};
