// Speech from the microphone or a file, brought to the model's rate. facts: {rate}, samples a second.
import {say} from '../translator.js';
import {build, copies, tell, told} from './elements.js';

const HTML = `
<section>
<h2>Speech</h2>
<button data-part="record" type="button" aria-pressed="false">Record</button>
<label>or a recording <input data-part="file" type="file" accept="audio/*"></label>
<p class="note" data-part="hint"></p>
<audio data-part="player" controls hidden></audio>
<p class="cut" data-part="problem" role="alert" hidden></p>
</section>${told('What was said', 'The recording, or the answer, was too long and has been cut.')}`;

export async function mount(panel, model, {rate}) {
  const part = build(panel, HTML), length = model.shape('transcribe', 'waveform')[1];
  part.hint.textContent = `Up to ${(length / rate).toFixed(0)} seconds.`;
  copies(part.copy, () => part.answer.value);
  let recorder = null;

  const hear = async blob => {
    try {
      const waveform = fit(await decode(await blob.arrayBuffer(), rate), length);
      URL.revokeObjectURL(part.player.src);
      part.player.src = URL.createObjectURL(blob);
      part.player.hidden = false;
      const begun = performance.now(), signature = model.has('transcribe_beam') ? 'transcribe_beam' : 'transcribe';
      tell(part, await say(model, signature, {waveform}), performance.now() - begun);
      document.body.dataset.shown = `${blob.size} bytes`;
    } catch (error) {
      problem(`This recording cannot be read: ${error.message.replace(/\.*$/, '')}. Take a .wav, .mp3 or .m4a.`);
    }
  };
  const problem = text => {
    part.problem.textContent = text;
    part.problem.hidden = !text;
  };
  part.file.addEventListener('change', () => {
    problem('');
    if (part.file.files[0]) hear(part.file.files[0]);
  });
  part.record.addEventListener('click', async () => {
    problem('');
    if (recorder) return recorder.stop();
    try {
      const stream = await navigator.mediaDevices.getUserMedia({audio: {channelCount: 1}}), chunks = [];
      recorder = new MediaRecorder(stream);
      recorder.addEventListener('dataavailable', event => chunks.push(event.data));
      const timer = setTimeout(() => recorder?.stop(), 1000 * length / rate);
      recorder.addEventListener('stop', () => {
        clearTimeout(timer);
        stream.getTracks().forEach(track => track.stop());
        hear(new Blob(chunks, {type: recorder.mimeType}));
        recorder = null;
        pressed(false);
      });
      recorder.start();
      pressed(true);
    } catch (error) {
      recorder = null;
      problem(`The microphone cannot be used: ${error.message}. Allow it for this page, which must come by https or from this device.`);
    }
  });
  const pressed = yes => {
    part.record.setAttribute('aria-pressed', yes);
    part.record.textContent = yes ? 'Stop' : 'Record';
  };
}

/** A file's bytes -> one channel at a rate; a browser resamples what it decodes to its context's rate. */
export async function decode(bytes, rate) {
  const decoded = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
  const channels = Array.from({length: decoded.numberOfChannels}, (_, i) => decoded.getChannelData(i));
  return channels[0].map((_, i) => channels.reduce((sum, channel) => sum + channel[i], 0) / channels.length);
}

/** Exactly so many samples, zeros behind the end. */
export function fit(samples, length) {
  const all = new Float32Array(length);
  all.set(samples.subarray(0, length));
  return all;
}
