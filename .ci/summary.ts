/** Prints the closing line of a CI run: node summary.ts RESULTS.json CHECK-STATUS TEST-STATUS */
import { readFileSync } from 'node:fs';

const [path = '', check, tests] = process.argv.slice(2);

function counts(): { passed: number; failed: number } {
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(path, 'utf8'));
    return { passed: numPassedTests, failed: numFailedTests };
  } catch (error) {
    console.error('reading the test results:', error);
    return { passed: 0, failed: 1 };
  }
}

const { passed, failed } = counts();
const checkFailed = check === '0' ? 0 : 1;
// vitest also fails for an unhandled error or a file that does not load, where no single test has failed.
const otherwiseFailed = tests !== '0' && failed === 0 ? 1 : 0;
const allFailed = failed + checkFailed + otherwiseFailed;
console.log(`${passed + 1 - checkFailed} passed, ${allFailed} failed`);
process.exitCode = allFailed === 0 ? 0 : 1;
