// Writes supertokens-node.jsonl anew: what supertokens-node answers to claims, one row a line.
//
//     npm install --ignore-scripts supertokens-node@24 && node observe.js > supertokens-node.jsonl
//
// `node` is the JSON of `claimValidationErrors`, or the error that was thrown. Rows that this crate answers otherwise
// have `ours` and `why`; it only ever refuses what the SDK takes or throws at.
const { PrimitiveClaim, PrimitiveArrayClaim, BooleanClaim } = require("supertokens-node/recipe/session/claims");
const { MultiFactorAuthClaim } = require("supertokens-node/recipe/multifactorauth");
const { validateClaimsInPayload } = require("supertokens-node/lib/build/recipe/session/utils.js");

const NOW = 1800000000000;
Date.now = () => NOW;
const FETCHED = NOW - 5000;

const rows = [];
const row = (op, arg, payload, maxAge = null, id = null) => rows.push({ op, arg, maxAge, id, payload });
const claim = (value, fetched = FETCHED) => `{"k":{"v":${value},"t":${fetched}}}`;

const values = [
    ["s", '"s"'], ["s", '"S"'], ["", '""'], ["1", "1"], [1, '"1"'], [1, "1.0"], [1, "1e0"], [1, "10E-1"],
    [1, "1.0000000000000001"], [1, "2"], [0, "-0"], [0, "-0.0"], [100, "1E2"], [0.1, "0.10"], [0.1, "1e-1"],
    [0.3, "0.30000000000000004"], [1e21, "1000000000000000000000"], [1.5, "2.5e-7"], [123456789012345680000, "1e22"],
    [-1e-7, "-1.0e300"], [1, "9007199254740993"], [1, "12345678901234567890123"], [1, "0.000001"], [1, "1e-6"],
    [1, "1.5e-10"], [5e-324, "1e-300"], [1, "9e308"], [1, "1e-308"], [true, "true"], [true, "false"], [false, "0"],
    [false, '""'], [null, "null"], ["s", "null"], [null, "false"], ["é", '"\\u00e9"'], ["e\u0301", '"\\u00e9"'],
    ["a\nb\u0001\u007f\u2028\"\\/", '"x\\u0041\\n\\u0001\\u007f\\u2028\\"\\\\\\/\\ud83d\\ude00\\b\\f\\r\\t"'],
    ["s", '[ "s" , 1.50 , { "b" : 1E3, "a" : [ ] } ]'], ["s", '{"b":1.0,"a":{"d":null,"c":-0.0}}'],
];
for (const [arg, value] of values) row("hasValue", arg, claim(value));

const unclaimed = [
    "{}", '{"k":null}', '{"k":"s"}', '{"k":1}', '{"k":true}', '{"k":[{"v":"s"}]}', '{"k":["s",1]}', '{"k":{}}',
    `{"k":{"t":${FETCHED}}}`, '{"k":{"V":"s","t":1}}', '{"other":{"v":"s","t":1}}',
];
for (const payload of unclaimed) for (const maxAge of [null, 60]) row("hasValue", "s", payload, maxAge);
row("hasValue", "s", "{}", null, 'custom "id"');
row("hasValue", "s", '{"k":{"v":"s"}}');
row("hasValue", "s", '{"k":{"\\u0076":"s","\\u0074":1799999995000,"x":2}}', 60);

const ages = [
    [5, FETCHED], [4.999, FETCHED], [5, FETCHED - 1], [4, FETCHED], [0, NOW], [0, NOW - 1], [0, NOW + 1],
    [60, NOW + 3600000], [60, "1799999939999.5"], [60, "1.79999993e12"], [60, "0"], [60, "null"], [60, '"0"'],
    [60, "-1e300"], [86400.5, "1"], [1.1, NOW - 1101], [0.000001, FETCHED], [3600.3, NOW - 3600301], [1e19, "-1e30"],
    [18446744073709, "-1e300"], [60, "1e300"], [0.0000001, NOW - 1], [60, "-1e-300"],
];
for (const [maxAge, fetched] of ages) row("hasValue", "s", claim('"s"', fetched), maxAge);
row("hasValue", "s", '{"k":{"v":"s"}}', 60);
for (const maxAge of [1, 60]) row("hasValue", "s", claim('"other"'), maxAge);
row("hasValue", "s", claim('"other"'), 60, "custom");

for (const op of ["isTrue", "isFalse"]) {
    for (const value of ["true", "false", '"true"', "1", "0", "null"]) row(op, null, claim(value));
    row(op, null, "{}");
    row(op, null, claim("true"), 4);
    row(op, null, claim("true"), 5, "mine");
}

const lists = [
    "[]", '["a"]', '["b","a","a"]', '["A"," a","ab"]', '[1,"1"]', "[1.0]", "[-0]", "[null]", '[["a"]]',
    '[{"v":"a"},"b"]', "[true,false]", '["\\u0061", 2e0]',
];
const many = [[], ["a"], ["a", "b"], ["a", "a"], [1, "1"], [0], [null, true], ['é"\\'], [2, "a", 1.5]];
for (const list of lists) {
    for (const op of ["includes", "excludes"]) for (const arg of ["a", 1, "1", 0, null, true]) row(op, arg, claim(list));
    for (const op of ["includesAll", "excludesAll", "includesAny"]) for (const arg of many) row(op, arg, claim(list));
}
const demands = [
    ["includes", "a"], ["excludes", "a"], ["includesAll", ["a", "b"]], ["excludesAll", ["a"]],
    ["includesAny", ["a", 1.5]], ["includesAll", []], ["excludesAll", []], ["includesAny", []],
];
for (const [op, arg] of demands) {
    for (const payload of ["{}", '{"k":null}', '{"k":["a"]}', '{"k":{}}', '{"k":{"v":["a"]}}']) {
        for (const maxAge of [null, 1]) row(op, arg, payload, maxAge);
    }
    for (const maxAge of [4, 5, 6]) row(op, arg, claim('["a","b"]'), maxAge);
    row(op, arg, claim('["z"]'), 4);
    row(op, arg, claim('["z", 1.50]'), 9, "id2");
    for (const value of ["null", '"a"', '"xay"', '"xyz"', '""', "1", "true", "{}", '{"a":"a"}']) {
        row(op, arg, claim(value));
    }
}

const factors = [
    '{"c":{},"v":true}', '{"c":{"emailpassword":1},"v":false}', '{"v":null}', '{"c":{}}', "{}", '"x"', "null",
    '{"v":"yes"}', '{"v":0}', '{"v":1}', "[true]",
];
for (const value of factors) row("mfaCompleted", null, `{"st-mfa":${value}}`);
row("mfaCompleted", null, "{}");
row("mfaCompleted", null, '{"st-mfa":{"v":false}}', null, "factors");

function validator({ op, arg, maxAge, id }) {
    const [age, name] = [maxAge ?? undefined, id ?? undefined];
    const config = { key: "k", fetchValue() {} };
    switch (op) {
        case "mfaCompleted":
            return MultiFactorAuthClaim.validators.hasCompletedMFARequirementsForAuth(name);
        case "hasValue":
            return new PrimitiveClaim(config).validators.hasValue(arg, age, name);
        case "isTrue":
        case "isFalse":
            return new BooleanClaim(config).validators[op](age, name);
        default:
            return new PrimitiveArrayClaim(config).validators[op](arg, age, name);
    }
}

// What a careful validator answers where the SDK throws, or lets a value pass because of its type.
function stricter(row, node) {
    const { op, arg, maxAge, payload } = row;
    const errors = (reason) => JSON.stringify([{ id: row.id ?? (op === "mfaCompleted" ? "st-mfa" : "k"), reason }]);
    if (op === "mfaCompleted") {
        const v = JSON.parse(payload)["st-mfa"]?.v;
        if (node === "[]" && v !== true) return [errors(undefined), "a value that is not a boolean"];
        return node.startsWith("throws") ? [errors(undefined), "no value"] : [];
    }
    const found = JSON.parse(payload).k;
    if (found?.v !== undefined && maxAge !== null && typeof found.t !== "number") {
        const reason = { message: "expired", ageInSeconds: null, maxAgeInSeconds: maxAge };
        return [errors(reason), "a value of unknown age"];
    }
    if (found?.v !== undefined && !/has|is/.test(op) && !Array.isArray(found.v)) {
        const name = { includes: "ToInclude", includesAll: "ToInclude", includesAny: "ToIncludeAtLeastOneOf" };
        const expected = "expected" + (name[op] ?? "ToNotInclude");
        const reason = { message: "wrong value", [expected]: arg, actualValue: found.v };
        return [errors(reason), "a value that is not an array"];
    }
    return [];
}

(async () => {
    for (const one of rows) {
        let node;
        try {
            node = JSON.stringify(await validateClaimsInPayload([validator(one)], JSON.parse(one.payload), {}));
        } catch (error) {
            node = `throws ${error.constructor.name}`;
        }
        const [ours, why] = stricter(one, node);
        console.log(JSON.stringify({ ...one, node, ...(ours !== undefined && ours !== node ? { ours, why } : {}) }));
    }
})();
