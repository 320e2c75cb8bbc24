"""
The worked examples of RFC 7515 and RFC 7516 appendix A, as the RFCs print them.
"""

from __future__ import annotations

from typing import Any

_CLAIMS = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
_RS256 = (
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9"
    "CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOL"
    "n6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtV"
    "rBp0igcN_IoypGlUPQGe77Rw"
)
_ES256 = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
_ES512 = (
    "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD"
    "2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"
)
_P256 = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
_P521 = {
    "kty": "EC",
    "crv": "P-521",
    "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
    "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
}
_SECRET = {"kty": "oct"}
_RSA = {"kty": "oct"}  # whose key it is does not matter: the algorithm is refused before

_GENERAL = (
    f'{{"payload":"{_CLAIMS}","signatures":['
    f'{{"protected":"eyJhbGciOiJSUzI1NiJ9","header":{{"kid":"2010-12-29"}},"signature":"{_RS256}"}},'
    '{"protected":"eyJhbGciOiJFUzI1NiJ9","header":{"kid":"e9bc097a-ce51-4036-9562-d2ade882db0d"},'
    f'"signature":"{_ES256}"}}]}}'
)
_FLATTENED = (
    f'{{"payload":"{_CLAIMS}","protected":"eyJhbGciOiJFUzI1NiJ9",'
    f'"header":{{"kid":"e9bc097a-ce51-4036-9562-d2ade882db0d"}},"signature":"{_ES256}"}}'
)

# Name -> token, key.
SIGNED: dict[str, tuple[str, dict[str, Any]]] = {
    "A.1": (f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{_CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", _SECRET),
    "A.2": (f"eyJhbGciOiJSUzI1NiJ9.{_CLAIMS}.{_RS256}", _RSA),
    "A.3": (f"eyJhbGciOiJFUzI1NiJ9.{_CLAIMS}.{_ES256}", _P256),
    "A.4": (f"eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.{_ES512}", _P521),
    "A.5": (f"eyJhbGciOiJub25lIn0.{_CLAIMS}.", _SECRET),
    "A.6": (_GENERAL, _P256),
    "A.7": (_FLATTENED, _P256),
}
UNKNOWN_CRITICAL = (
    "eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly9leGFtcGxlLmNv"
    "bS9VTkRFRklORUQiOnRydWUNCn0.RkFJTA."
)

_TO_RSA = (
    "UGhIOguC7IuEvf_NPVaXsGMoLOmwvc1GyqlIKOK1nN94nHPoltGRhWhw7Zx0-kFm1NJn8LE9XShH59_i8J0PH5ZZyNfGy2xGdULU7sHNF6"
    "Gp2vPLgNZ__deLKxGHZ7PcHALUzoOegEI-8E66jX2E4zyJKx-YxzZIItRzC5hlRirb6Y5Cl_p-ko3YvkkysZIFNPccxRU7qve1WYPxqbb2"
    "Yw8kZqa2rMWI5ng8OtvzlV7elprCbuPhcCdZ6XDP0_F8rkXds2vE4X-ncOIM8hAYHHi29NX0mcKiRaD0-D-ljQTP-cFPgwCp6X-nZZd9OH"
    "Bv-B3oWh2TbqmScqXMR4gp_A"
)
_BY_OAEP = (
    "OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZKTyKOMTYUmKoTCVJRgckCL9kiMT03JGeipsEdY3mx_etLbbWSrFr05kLzcSr4qKAq7YN7e9jwQ"
    "Rb23nfa6c9d-StnImGyFDbSv04uVuxIp5Zms1gNxKKK2Da14B8S4rzVRltdYwam_lDp5XnZAYpQdb76FdIKLaVmqgfwX7XWRxv2322i-vD"
    "xRfqNzo_tETKzpVLzfiwQyeyPGLBIO56YJ7eObdv0je81860ppamavo35UgoRdbYaBcoh9QcfylQr66oc6vFWXRcZ_ZT2LawVCWTIy3brG"
    "Pi6UklfCpIMfIjf7iGdXKHzg"
)
_BY_KEY = "6KB707dM9YTIgHtLvtgWQ8mKwboJW3of9locizkDTHzBC2IlrT1oOQ"
_CBC = "AxY8DCtDaGlsbGljb3RoZQ.KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY"
_JSON = (
    '{"protected":"eyJlbmMiOiJBMTI4Q0JDLUhTMjU2In0",'
    '"unprotected":{"jku":"https://server.example.com/keys.jwks"},%s'
    '"iv":"AxY8DCtDaGlsbGljb3RoZQ","ciphertext":"KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY",'
    '"tag":"Mz-VPPyU4RlcuYv1IwIvzw"}'
)
SEALED: dict[str, str] = {
    "A.1": (
        f"eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.{_BY_OAEP}.48V1_ALb6US04U3b."
        "5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A.XFBoMYUZodetZdvTiFvSkQ"
    ),
    "A.2": f"eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.{_TO_RSA}.{_CBC}.9hH0vgRfYgPnAHOd8stkvw",
    "A.3": f"eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.{_BY_KEY}.{_CBC}.U0m_YmjN04DJvceFICbCVQ",
    "A.4": _JSON
    % (
        '"recipients":[{"header":{"alg":"RSA1_5","kid":"2011-04-29"},'
        f'"encrypted_key":"{_TO_RSA}"}},{{"header":{{"alg":"A128KW","kid":"7"}},"encrypted_key":"{_BY_KEY}"}}],'
    ),
    "A.5": _JSON % f'"header":{{"alg":"A128KW","kid":"7"}},"encrypted_key":"{_BY_KEY}",',
}
