// Preloaded into every node process of the web UI's build: the clock stands still at
// SOURCE_DATE_EPOCH, because SvelteKit writes the time of the build into what it builds.
'use strict';

const seconds = Number(process.env.SOURCE_DATE_EPOCH);
if (!Number.isSafeInteger(seconds)) {
	throw new Error('freeze-date.cjs: SOURCE_DATE_EPOCH is not set to a number of seconds');
}
const frozen = seconds * 1000;
const RealDate = Date;

globalThis.Date = class Date extends RealDate {
	constructor(...args) {
		if (args.length === 0) {
			super(frozen);
		} else {
			super(...args);
		}
	}

	static now() {
		return frozen;
	}
};
