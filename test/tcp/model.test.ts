import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modelCheck } from '../fuzz/model.ts';

test('two machines, a bad network and a blind attacker: the invariants hold after every step (a million in npm run fuzz)', () => {
  assert.ok(modelCheck(50_000, 42) >= 50_000);
});
